/**
 * Detections from the raw output of YOLOX [1, 3549, 85]: cells of three grids, each with centre, size, objectness and 80 classes.
 * @param {Record<string, { data: Float32Array, shape: readonly number[] }>} outputs
 */
export default function decode({ output: { data, shape } }) {
  const width = shape.at(-1);
  const size = 416;
  const found = [];
  let row = 0;
  for (const stride of [8, 16, 32]) {
    const cells = size / stride;
    for (let cell = 0; cell < cells * cells; cell++, row++) {
      const at = row * width;
      const x = (data[at] + cell % cells) * stride;
      const y = (data[at + 1] + Math.floor(cell / cells)) * stride;
      const w = Math.exp(data[at + 2]) * stride;
      const h = Math.exp(data[at + 3]) * stride;
      for (let kind = 0; kind < width - 5; kind++) {
        const score = data[at + 4] * data[at + 5 + kind];
        if (score > 0.001) found.push({ class: kind, score, box: [x - w / 2, y - h / 2, x + w / 2, y + h / 2] });
      }
    }
  }
  return suppressed(found, 0.65);
}

/** Non-maximum suppression, class by class. */
function suppressed(found, most) {
  const kept = [];
  for (const detection of found.sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => other.class === detection.class && overlap(other.box, detection.box) > most)) kept.push(detection);
  }
  return kept;
}

function overlap(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h);
}
