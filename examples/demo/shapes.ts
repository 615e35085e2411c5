/** Side of the square images in pixels. */
export const side = 32;

/** What the images show; a label is an index into this list. */
export const classNames = ['disc', 'ring', 'square', 'triangle', 'hexagon', 'cross', 'star', 'crescent', 'stripes', 'checker'] as const;

/** Labelled images: `images` is [count, side, side, 3] (NHWC, RGB, 0 to 255), `labels` is [count]. */
export interface LabelledImages {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

type Colour = readonly [number, number, number];
type Inside = (u: number, v: number) => boolean;

/**
 * Pictures of shapes with random place, size, rotation, colours, clutter, occlusion and noise, and what they show.
 * Image i depends on the seed and on i alone, so a shorter set is the beginning of a longer one. The pixels are the same on every
 * machine: the arithmetic is integers, and floating point restricted to + − × ÷ and square roots, which IEEE 754 rounds in one way.
 */
export function shapes(seed: number, count: number): LabelledImages {
  const images = new Uint8Array(count * side * side * 3);
  const labels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const random = new Random(seed, at);
    labels[at] = random.below(classNames.length);
    draw(images.subarray(at * side * side * 3, (at + 1) * side * side * 3), labels[at]!, random);
  }
  return { images, labels };
}

/** A stream of random numbers for one image: a Weyl sequence, each term mixed by the finalizer of MurmurHash3. */
class Random {
  private state: number;

  constructor(seed: number, stream: number) {
    this.state = mix(mix(seed) ^ stream);
  }

  /** An integer from 0 to 2³² − 1. */
  private next(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    return mix(this.state) >>> 0;
  }

  /** A real number in [low, high). */
  between(low: number, high: number): number {
    return low + (this.next() / 0x100000000) * (high - low);
  }

  /** An integer from 0 to limit − 1. */
  below(limit: number): number {
    return Math.floor(this.between(0, limit));
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return this.between(0, 1) < share;
  }

  colour(): Colour {
    return [this.between(0, 256), this.between(0, 256), this.between(0, 256)];
  }

  /** A unit vector; all directions are equally likely. */
  direction(): [number, number] {
    for (;;) {
      const [x, y] = [this.between(-1, 1), this.between(-1, 1)];
      const length = Math.sqrt(x * x + y * y);
      if (length > 0.1 && length < 1) return [x / length, y / length];
    }
  }
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const root3 = Math.sqrt(3);
const disc: Inside = (u, v) => u * u + v * v < 1;
const square: Inside = (u, v) => Math.max(Math.abs(u), Math.abs(v)) < 0.85;

/** The outlines, in coordinates in which they about fill the unit circle, in the order of classNames. Textures fill a disc or a square. */
function outline(label: number, random: Random): Inside {
  const hole = random.between(0.2, 0.4);
  const bite = random.between(0.35, 0.55);
  return [
    disc,
    (u: number, v: number) => disc(u, v) && u * u + v * v > hole,
    square,
    (u: number, v: number) => v > -0.5 && root3 * Math.abs(u) + v < 1,
    (u: number, v: number) => Math.max(2 * Math.abs(u), Math.abs(u) + root3 * Math.abs(v)) < 1.72,
    (u: number, v: number) => Math.min(Math.abs(u), Math.abs(v)) < 0.3 && Math.max(Math.abs(u), Math.abs(v)) < 0.95,
    (u: number, v: number) => Math.abs(u) + Math.abs(v) + 1.2 * Math.sqrt(Math.abs(u * v)) < 1,
    (u: number, v: number) => disc(u, v) && (u - bite) * (u - bite) + v * v > 0.65,
  ][label] ?? (random.chance(0.5) ? disc : square);
}

/** Which of two colours a point inside has: one for plain shapes, bands for stripes, fields for checkers. */
function texture(label: number, random: Random): Inside {
  const bands = random.between(2, 3.5);
  const fields = random.between(1.4, 2.4);
  if (classNames[label] === 'stripes') return (u) => (Math.floor(u * bands) & 1) === 1;
  if (classNames[label] === 'checker') return (u, v) => ((Math.floor(u * fields) + Math.floor(v * fields)) & 1) === 1;
  return () => false;
}

function draw(pixels: Uint8Array, label: number, random: Random): void {
  const canvas = new Float64Array(pixels.length);
  const ground = random.colour();
  shade(canvas, ground, random);
  for (let left = random.below(4); left > 0; left--) bar(canvas, random.between(2, 7), random.between(2, 7), random);

  const inside = outline(label, random);
  const second = texture(label, random);
  const [cosine, sine] = random.direction();
  const radius = random.between(6, 12);
  const flatness = random.between(0.75, 1);
  const [x0, y0] = [random.between(11, side - 11), random.between(11, side - 11)];
  const colour = contrasting(ground, random);
  const other = contrasting(colour, random);
  cover(canvas, (x, y) => {
    const u = ((x - x0) * cosine + (y - y0) * sine) / radius;
    const v = ((y - y0) * cosine - (x - x0) * sine) / (radius * flatness);
    return inside(u, v) ? (second(u, v) ? other : colour) : undefined;
  });

  if (random.chance(0.5)) bar(canvas, random.between(2, 5), random.between(8, 20), random);
  const noise = random.between(5, 80);
  for (let at = 0; at < pixels.length; at++) {
    // The sum of three uniform numbers is close enough to a normal one, with standard deviation `noise` / 2.
    const grain = random.between(-1, 1) + random.between(-1, 1) + random.between(-1, 1);
    pixels[at] = Math.min(255, Math.max(0, Math.floor(canvas[at]! + (grain * noise) / 2)));
  }
}

/** A colour that differs from another by at least 80 of the 765 steps there are. */
function contrasting(colour: Colour, random: Random): Colour {
  for (;;) {
    const other = random.colour();
    if (other.reduce((sum, level, channel) => sum + Math.abs(level - colour[channel]!), 0) >= 80) return other;
  }
}

/** Fills the canvas with a colour that gets lighter in some direction. */
function shade(canvas: Float64Array, colour: Colour, random: Random): void {
  const [across, down] = random.direction();
  const slope = random.between(0, 3);
  for (let at = 0; at < canvas.length; at++) {
    const pixel = Math.floor(at / 3);
    canvas[at] = colour[at % 3]! + slope * (across * ((pixel % side) - side / 2) + down * (Math.floor(pixel / side) - side / 2));
  }
}

/** Draws a rectangle of a random colour at a random place, upright or lying. */
function bar(canvas: Float64Array, width: number, height: number, random: Random): void {
  const [across, down] = random.chance(0.5) ? [width, height] : [height, width];
  const [x0, y0] = [random.between(0, side - across), random.between(0, side - down)];
  const colour = random.colour();
  cover(canvas, (x, y) => (x >= x0 && x < x0 + across && y >= y0 && y < y0 + down ? colour : undefined));
}

/** Paints what `paint` says of four points in each pixel; a pixel that is covered in part keeps its share of the old colour. */
function cover(canvas: Float64Array, paint: (x: number, y: number) => Colour | undefined): void {
  for (let at = 0; at < canvas.length; at += 3) {
    const [x, y] = [(at / 3) % side, Math.floor(at / 3 / side)];
    const samples = [paint(x + 0.25, y + 0.25), paint(x + 0.75, y + 0.25), paint(x + 0.25, y + 0.75), paint(x + 0.75, y + 0.75)];
    if (samples.every((colour) => colour === undefined)) continue;
    for (let channel = 0; channel < 3; channel++) {
      const old = canvas[at + channel]!;
      canvas[at + channel] = samples.reduce((sum, colour) => sum + (colour?.[channel] ?? old), 0) / 4;
    }
  }
}
