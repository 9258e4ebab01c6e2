// The page: a picture or the camera, boxes on a canvas. All files come from where the page does.
"use strict";

const canvas = document.getElementById("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
const slider = document.getElementById("score"), status = document.getElementById("status");
const list = document.getElementById("found"), camera = document.getElementById("camera");
let card, session, shown = null, stream = null;

async function load() {
  card = await (await fetch("card.json")).json();
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = new URL(".", location.href).href;
  session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  document.getElementById("what").textContent =
    `${card.origin.source || "detector"}: ${card.classes.join(", ")}; ${card.input.height}×${card.input.width}, ${card.precision}`;
  status.textContent = "Drop a picture anywhere, choose one, or start the camera.";
}

async function run(values) {
  const own = card.input, shape = [1, 3, own.height, own.width];
  const outputs = await session.run({ [own.name]: new ort.Tensor(own.dtype, values, shape) });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
}

/** Detect in a picture (bitmap, video) and draw it with its boxes. */
async function show(picture, width, height) {
  canvas.width = width;
  canvas.height = height;
  pen.drawImage(picture, 0, 0, width, height);
  const pixels = pen.getImageData(0, 0, width, height);
  const start = performance.now();
  const found = await detect(card, run, pixels.data, height, width, Number(slider.value));
  const took = performance.now() - start;
  pen.putImageData(pixels, 0, 0);
  for (const one of [...found].reverse()) draw(one, Math.max(2, Math.min(width, height) / 200));
  status.textContent = `${found.length} found, ${took.toFixed(0)} ms`;
  list.textContent = JSON.stringify(found);
  return found;
}

function colour(label) { return `hsl(${(label * 222.5) % 360} 85% 60%)`; }

function draw({ label, score, name, box: [x1, y1, x2, y2] }, line) {
  pen.lineWidth = line;
  pen.strokeStyle = pen.fillStyle = colour(label);
  pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
  const size = Math.max(11, line * 6), text = `${name} ${score.toFixed(2)}`;
  pen.font = `${size}px sans-serif`;
  const wide = pen.measureText(text).width + 6, top = Math.max(0, y1 - size - 4);
  const left = Math.max(0, Math.min(x1, canvas.width - wide));
  pen.fillRect(left, top, wide, size + 4);
  pen.fillStyle = "#000";
  pen.fillText(text, left + 3, top + size);
}

async function showFile(blob) {
  stopCamera();
  try {
    shown = await createImageBitmap(blob);
  } catch {
    status.textContent = "That is no picture that this browser can read.";
    return;
  }
  await again();
}

async function again() {
  if (shown && !stream) await show(shown, shown.width, shown.height);
}

async function startCamera() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    status.textContent = `The camera cannot be used: ${error.message}`;
    return;
  }
  camera.textContent = "Stop the camera";
  const video = document.createElement("video");
  video.srcObject = stream;
  await video.play();
  while (stream) {
    await show(video, video.videoWidth, video.videoHeight);
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  camera.textContent = "Start the camera";
}

document.getElementById("file").addEventListener("change", (event) => showFile(event.target.files[0]));
camera.addEventListener("click", () => (stream ? stopCamera() : startCamera()));
slider.addEventListener("input", () => {
  document.getElementById("lowest").textContent = Number(slider.value).toFixed(2);
  again();
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) showFile(event.dataTransfer.files[0]);
});

// `?picture=NAME` shows a picture that lies beside the page.
(async () => {
  try {
    await load();
    const name = new URLSearchParams(location.search).get("picture");
    if (name) await showFile(await (await fetch(name)).blob());
    document.body.dataset.ready = "yes";
  } catch (error) {
    status.textContent = `The detector cannot be run: ${error.message}`;
    document.body.dataset.ready = "failed";
  }
})();
