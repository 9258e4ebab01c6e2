"""A page that runs an exported detector in the browser, with every file served from here.

- `page/`: the page; `detector.js` does what `runtime` does, from the same card;
- `onnx_web.py`: ONNX Runtime for browsers, from the npm registry, checked and kept;
- `site.py`: the folder of all files; `server.py` serves it to this machine.
"""
