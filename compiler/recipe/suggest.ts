/** Edit distance with transpositions counted as one, or `limit + 1` as soon as it must exceed `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    if (Math.min(...row) > limit) return limit + 1;
    before = last;
    last = row;
  }
  return last[b.length]!;
}

const comparable = (name: string): string => name.slice(0, 256).toLowerCase().replaceAll(/[-_ ]/g, '');

/**
 * Names that were probably meant, best first: within two edits (one for names of up to three letters) when case and separators are ignored,
 * or else those that begin with what was written or with which it begins (at least three letters). At most `count`.
 */
export function nearNames(written: string, names: Iterable<string>, count = 3): string[] {
  const target = comparable(written);
  const limit = target.length <= 3 ? 1 : 2;
  const scored: { name: string; score: number }[] = [];
  for (const name of names) {
    const candidate = comparable(name);
    const distance = editDistance(target, candidate, limit);
    const common = Math.min(target.length, candidate.length);
    const prefix = common >= 3 && (candidate.startsWith(target) || target.startsWith(candidate));
    if (distance <= limit && distance < target.length) scored.push({ name, score: distance });
    else if (prefix) scored.push({ name, score: 3 + Math.abs(candidate.length - target.length) });
  }
  const best = Math.min(...scored.map(({ score }) => score));
  return scored.filter(({ score }) => best > 0 || score === 0).sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1)).slice(0, count).map(({ name }) => name);
}

/** `did you mean \`a\`?`, `did you mean \`a\` or \`b\`?`, or undefined when nothing is near. */
export function didYouMean(written: string, names: Iterable<string>): string | undefined {
  const near = nearNames(written, names).map((name) => `\`${name}\``);
  return near.length === 0 ? undefined : `did you mean ${near.length === 1 ? near[0]! : `${near.slice(0, -1).join(', ')} or ${near.at(-1)!}`}?`;
}
