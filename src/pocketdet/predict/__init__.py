"""Detection in picture and video files, drawn and written down; needs no torch.

What looks at the pictures is a `Predictor`: an exported file's runner, or a detector (`evaluate`
has what makes it one).
"""
