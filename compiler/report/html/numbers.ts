/** A measured number with four digits, and a true minus. */
export function figure(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? size.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e') : String(Number(size.toPrecision(4)));
  return `${value < 0 ? '−' : ''}${text.replace('e-', 'e−')}`;
}

/** `38.2 dB`. */
export function decibelText(value: number | null): string {
  return value === null ? 'no noise' : `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(1)} dB`;
}

/** A share, 0 to 1, in percent: digits enough that what is there never reads as nothing. */
export function percentText(share: number): string {
  const percent = 100 * share;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 0.01) return '< 0.01 %';
  if (percent > 99.99) return '> 99.99 %';
  return `${percent.toFixed(percent < 1 || percent > 99 ? 2 : 1)} %`;
}

/** `2.36 M`: a large count, in powers of 1000. */
export function largeCount(count: number): string {
  for (const [unit, size] of [['T', 1e12], ['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) if (count >= size) return `${Number((count / size).toPrecision(3))} ${unit}`;
  return String(count);
}

/** A coordinate: two digits, as short as it can be. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100 || 0);
}

/** `1 layer`, `3 layers`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
