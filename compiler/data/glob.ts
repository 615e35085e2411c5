import { existsSync, readdirSync, statSync, type Dirent } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { globPattern, PatternError, type NamePattern } from '../../passes/name-pattern.ts';

/** A file that a pattern found. */
export interface Found {
  /** Absolute. */
  readonly path: string;
  /** As the recipe would write it, with `/` between folders. */
  readonly name: string;
}

/** Most folder entries that a pattern may look at, and how deep it goes. */
const entryLimit = 4_000_000;
const depthLimit = 64;

const magic = /[*?[\]{}]/;

/**
 * The files that a path or glob names, relative to `folder`: regular files, sorted by name (code units), so that every machine sees the same order.
 * Hidden files and folders are found only by patterns that write their dot. A path that exists as it is written is no pattern.
 * Throws `data/no-files` if there are none.
 */
export function findFiles(pattern: string, folder: string): Found[] {
  const written = pattern.replaceAll('\\', '/');
  const whole = resolve(folder, pattern);
  if (!magic.test(written) || existsSync(whole)) {
    const stat = existsSync(whole) ? statSync(whole) : undefined;
    if (stat?.isFile()) return [{ path: whole, name: written }];
    throw none(written, stat?.isDirectory() ? 'it is a folder; add a pattern such as `/*.jpg` or `/**/*.jpg`' : `there is no such file in ${folder}`);
  }
  const parts = written.split('/');
  const fixed = parts.findIndex((part) => magic.test(part));
  const prefix = parts.slice(0, fixed).join('/');
  const base = resolve(folder, prefix === '' && isAbsolute(pattern) ? '/' : prefix);
  const rest = parts.slice(fixed).join('/');
  const found = walk(base, rest).map((path): Found => ({ path, name: [...parts.slice(0, fixed), relative(base, path).replaceAll('\\', '/')].join('/') }));
  if (found.length === 0) throw none(written, existsSync(base) ? `nothing in ${base} matches` : `there is no folder ${base}`);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function none(pattern: string, why: string): Diagnostic {
  return new Diagnostic('data/no-files', `no data in ${pattern}: ${why}`, { file: pattern, suggestion: 'Correct the path; it is relative to the recipe.' });
}

function walk(base: string, pattern: string): string[] {
  const matches = compiled(pattern);
  const deepest = pattern.includes('**') ? depthLimit : pattern.split('/').length;
  const hidden = /(^|\/)\./.test(pattern);
  const found: string[] = [];
  let entries = 0;
  const visit = (folder: string, inside: string, depth: number): void => {
    for (const entry of list(folder)) {
      if (++entries > entryLimit) throw none(pattern, `more than ${entryLimit} entries would have to be looked at`);
      if (entry.name.startsWith('.') && !hidden) continue;
      const path = join(folder, entry.name);
      const name = inside === '' ? entry.name : `${inside}/${entry.name}`;
      if (entry.isDirectory() && depth < deepest) visit(path, name, depth + 1);
      else if (isFile(entry, path) && matches(name)) found.push(path);
    }
  };
  visit(base, '', 1);
  return found;
}

function compiled(pattern: string): NamePattern {
  try {
    return globPattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw none(pattern, `the pattern ${error.message}`);
  }
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Links to files count as files; links to folders are not followed, since they can form a circle. */
function isFile(entry: Dirent, path: string): boolean {
  return entry.isFile() || (entry.isSymbolicLink() && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false));
}
