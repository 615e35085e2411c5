/**
 * A dependency file as GCC writes it, which make, ninja and CMake read: the targets depend on all files that were read, and each of these
 * is a target without rule, so that a deleted one leads to a rebuild instead of an error. Paths are written as they are given; spaces, `#`
 * and `$` are escaped. Throws nothing; a path with a line break cannot be expressed and is left out.
 */
export function depfile(targets: readonly string[], dependencies: readonly string[]): string {
  const usable = (paths: readonly string[]): string[] => [...new Set(paths)].filter((path) => !/[\r\n]/.test(path)).map(escaped);
  const files = usable(dependencies);
  const rule = `${usable(targets).join(' ')}:${files.map((file) => ` \\\n  ${file}`).join('')}\n`;
  return rule + files.map((file) => `\n${file}:\n`).join('');
}

/** Backslashes are special to make only before what is escaped, where they are doubled. */
function escaped(path: string): string {
  return path.replaceAll(/(\\*)([ #])/g, (_match, slashes: string, special: string) => `${slashes}${slashes}\\${special}`).replaceAll('$', '$$$$');
}
