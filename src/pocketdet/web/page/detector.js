// From pixels to detections as the card says. It does what pocketdet.runtime does in Python, and
// knows nothing of the page: it runs wherever JavaScript does.
"use strict";

/** Say where a picture of this size lies in the input: input = picture * scale + offset. */
function placement(own, height, width) {
  let scaleY = own.height / height, scaleX = own.width / width;
  if (own.resize === "warp") return { scaleX, scaleY, left: 0, top: 0, height: own.height, width: own.width };
  const scale = Math.min(scaleX, scaleY);
  const innerHeight = Math.max(1, roundHalfEven(height * scale));
  const innerWidth = Math.max(1, roundHalfEven(width * scale));
  return {
    scaleX: innerWidth / width, scaleY: innerHeight / height,
    left: Math.floor((own.width - innerWidth) / 2), top: Math.floor((own.height - innerHeight) / 2),
    height: innerHeight, width: innerWidth,
  };
}

/** Round as Python does: halves go to the even neighbour. */
function roundHalfEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Say which two of `from` pixels make each of `to`, and the share of the second. */
function neighbours(from, to, interpolation) {
  const first = new Int32Array(to), second = new Int32Array(to), share = new Float64Array(to);
  for (let place = 0; place < to; place++) {
    if (interpolation === "nearest") {
      first[place] = second[place] = Math.min(Math.floor(place * from / to), from - 1);
      continue;
    }
    const at = Math.min(Math.max((place + 0.5) * from / to - 0.5, 0), from - 1);
    first[place] = Math.floor(at);
    second[place] = Math.min(first[place] + 1, from - 1);
    share[place] = at - first[place];
  }
  return { first, second, share };
}

/** Fit RGBA pixels into the input: planes of red, green and blue on the 0-255 scale. */
function fit(own, rgba, height, width) {
  const place = placement(own, height, width), area = own.height * own.width;
  const planes = new Uint8Array(3 * area);
  for (let c = 0; c < 3; c++) planes.fill(own.padding_rgb[c], c * area, (c + 1) * area);
  const rows = neighbours(height, place.height, own.interpolation);
  const columns = neighbours(width, place.width, own.interpolation);
  for (let y = 0; y < place.height; y++) {
    const above = rows.first[y] * width, below = rows.second[y] * width, down = rows.share[y];
    for (let x = 0; x < place.width; x++) {
      const left = columns.first[x], right = columns.second[x], along = columns.share[x];
      const target = (y + place.top) * own.width + x + place.left;
      for (let c = 0; c < 3; c++) {
        const upper = rgba[4 * (above + left) + c] * (1 - along) + rgba[4 * (above + right) + c] * along;
        const lower = rgba[4 * (below + left) + c] * (1 - along) + rgba[4 * (below + right) + c] * along;
        planes[c * area + target] = Math.round(upper * (1 - down) + lower * down);
      }
    }
  }
  return { planes, place };
}

/** Turn planes into what the file takes: bytes, floats, or normalised floats. */
function feed(own, planes) {
  if (own.dtype === "uint8") return planes;
  const values = Float32Array.from(planes);
  if (own.normalization === "inside") return values;
  const area = own.height * own.width, result = new Float32Array(3 * area);
  for (let c = 0; c < 3; c++) {
    const from = (own.channel_order === "BGR" ? 2 - c : c) * area;
    for (let i = 0; i < area; i++) result[c * area + i] = (values[from + i] - own.mean[c]) * own.scale[c];
  }
  return result;
}

/** Give boxes (4 a place, xyxy in input pixels) and scores (numClasses a place) of one picture. */
function scoredBoxes(card, outputs) {
  const own = card.outputs, numClasses = card.classes.length;
  if (own.kind === "boxes") return { boxes: outputs[own.boxes_xyxy], scores: outputs[own.scores] };
  const places = own.places_cxcywh, logits = outputs[own.class_logits];
  const boxes = new Float32Array(4 * places.length), scores = new Float32Array(numClasses * places.length);
  for (let p = 0; p < places.length; p++) {
    if (own.kind === "priors") {
      const shares = softmax(logits, p * (numClasses + 1), numClasses + 1);
      for (let k = 0; k < numClasses; k++) scores[p * numClasses + k] = shares[k + 1];
      priorBox(own, places[p], outputs[own.box_deltas], p, boxes);
    } else {
      for (let k = 0; k < numClasses; k++)
        scores[p * numClasses + k] = 1 / (1 + Math.exp(-logits[p * numClasses + k]));
      cellBox(own, places[p], outputs[own.side_logits], p, boxes);
    }
  }
  return { boxes, scores };
}

function softmax(values, start, count) {
  let most = -Infinity, sum = 0;
  for (let i = 0; i < count; i++) most = Math.max(most, values[start + i]);
  const shares = new Float64Array(count);
  for (let i = 0; i < count; i++) sum += shares[i] = Math.exp(values[start + i] - most);
  return shares.map((share) => share / sum);
}

function priorBox(own, [cx, cy, width, height], deltas, p, boxes) {
  const [dx, dy, dw, dh] = [0, 1, 2, 3].map((i) => deltas[4 * p + i] * own.variances[i]);
  const x = cx + dx * width, y = cy + dy * height;
  const halfWidth = width * Math.exp(Math.min(dw, own.largest_growth)) / 2;
  const halfHeight = height * Math.exp(Math.min(dh, own.largest_growth)) / 2;
  boxes.set([x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], 4 * p);
}

function cellBox(own, [cx, cy, width, height], sides, p, boxes) {
  const [left, top, right, bottom] = [0, 1, 2, 3].map((side) => {
    const shares = softmax(sides, (4 * p + side) * own.num_bins, own.num_bins);
    return shares.reduce((sum, share, bin) => sum + share * (bin + own.lowest), 0);
  });
  boxes.set([cx - left * width, cy - top * height, cx + right * width, cy + bottom * height], 4 * p);
}

/** Choose detections, best first: [{label, score, box}], boxes in input pixels. */
function choose(card, boxes, scores, lowest) {
  const { height, width } = card.input, settings = card.detection, numClasses = card.classes.length;
  const limits = [width, height, width, height];
  const box = (p) => limits.map((limit, i) => Math.min(Math.max(boxes[4 * p + i], 0), limit));
  const kept = [];
  for (let label = 0; label < numClasses; label++) {
    const candidates = [];
    for (let p = 0; p < scores.length / numClasses; p++) {
      const score = scores[p * numClasses + label];
      if (score > lowest) candidates.push({ label, score, p });
    }
    candidates.sort((a, b) => b.score - a.score || a.p - b.p);
    const mine = [];
    for (const one of candidates.slice(0, settings.max_per_class)) {
      one.box = box(one.p);
      if (mine.every((other) => iou(other.box, one.box) <= settings.iou_threshold)) mine.push(one);
    }
    kept.push(...mine);
  }
  kept.sort((a, b) => b.score - a.score || a.label - b.label || a.p - b.p);
  return kept.slice(0, settings.max_per_image).map(({ label, score, box: xyxy }) => ({ label, score, box: xyxy }));
}

function iou(a, b) {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = (box) => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);
  const shared = width * height;
  return shared / Math.max(area(a) + area(b) - shared, 1e-30);
}

/** Read the rows of a file that has NMS inside. */
function fromRows(card, rows, lowest) {
  const found = [];
  for (let start = 0; start < rows.length; start += 7) {
    const [, x1, y1, x2, y2, score, label] = rows.slice(start, start + 7);
    if (score > lowest) found.push({ label, score, box: [x1, y1, x2, y2] });
  }
  found.sort((a, b) => b.score - a.score || a.label - b.label);
  return found.slice(0, card.detection.max_per_image);
}

/** Detect in RGBA pixels; `run` takes the file's input and gives its outputs by name. */
async function detect(card, run, rgba, height, width, lowest) {
  const { planes, place } = fit(card.input, rgba, height, width);
  const outputs = await run(feed(card.input, planes));
  let found;
  if (card.outputs.kind === "detections") {
    found = fromRows(card, outputs[card.outputs.detections], lowest);
  } else {
    const { boxes, scores } = scoredBoxes(card, outputs);
    found = choose(card, boxes, scores, lowest);
  }
  const back = (value, i) => {
    const [scale, offset, limit] = i % 2 ? [place.scaleY, place.top, height] : [place.scaleX, place.left, width];
    return Math.min(Math.max((value - offset) / scale, 0), limit);
  };
  return found.map((one) => ({ ...one, name: card.classes[one.label], box: one.box.map(back) }));
}

if (typeof module !== "undefined") module.exports = { detect, fit, feed, scoredBoxes, choose };
