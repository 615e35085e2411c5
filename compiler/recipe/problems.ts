import { Diagnostic, type DiagnosticDetails, type Note } from '../../ir/diagnostic.ts';
import type { Place, Via } from './tree.ts';

/** What is known of a mistake beside its code, message and place. */
export interface ProblemDetails extends Omit<DiagnosticDetails, 'file' | 'range'> {
  /** How the value came to where it is, when it was written elsewhere. */
  readonly via?: Via | undefined;
}

const most = 1000;

/** Collects all mistakes of one run, so that a user can mend them in one go. */
export class Problems {
  readonly list: Diagnostic[] = [];
  /** How files other than the recipe itself came to be read, for notes. */
  readonly inherited: Map<string, Place | undefined> = new Map();

  get failed(): boolean {
    return this.list.some(({ severity }) => severity === 'error');
  }

  /** Adds a mistake at a place; those beyond a thousand are dropped, since nobody reads them. */
  add(code: string, message: string, place: Place | undefined, { via, ...details }: ProblemDetails = {}): void {
    if (this.list.length < most) this.list.push(diagnosticAt(code, message, place, { ...details, notes: [...this.notesFor(place, via), ...(details.notes ?? [])] }));
  }

  /** Takes what `action` throws if it is a Diagnostic; everything else is a defect and goes on. */
  guard<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!Diagnostic.is(error)) throw error;
      if (this.list.length < most) this.list.push(error);
      return undefined;
    }
  }

  /** All of them in the order of the files and their lines; errors before warnings. What has no place keeps its turn, at the end. */
  sorted(files: readonly string[]): Diagnostic[] {
    const rank = ({ severity }: Diagnostic): number => (severity === 'error' ? 0 : 1);
    const position = ({ file, range }: Diagnostic): [number, number, number] => [file !== undefined && files.includes(file) ? files.indexOf(file) : files.length, range?.line ?? Infinity, range?.column ?? 0];
    const compare = (a: Diagnostic, b: Diagnostic): number => {
      const [before, after] = [[rank(a), ...position(a)], [rank(b), ...position(b)]];
      const first = before.findIndex((part, index) => part !== after[index]);
      return first < 0 ? 0 : before[first]! - after[first]!;
    };
    return this.list.toSorted(compare);
  }

  private notesFor(place: Place | undefined, via: Via | undefined): Note[] {
    const notes: Note[] = [];
    if (via) notes.push({ message: via.message, ...where(via.place) });
    if (place && this.inherited.has(place.file)) {
      const by = this.inherited.get(place.file);
      notes.push({ message: `inherited from ${placeText(place)}${by ? `, which ${placeText(by)} extends` : ''}` });
    }
    return notes;
  }
}

/** A Diagnostic at a place. Values of recipes that are objects are named by their property path, in the message. */
export function diagnosticAt(code: string, message: string, place: Place | undefined, details: Omit<DiagnosticDetails, 'file' | 'range'> = {}): Diagnostic {
  const { notes, ...rest } = details;
  const text = place?.path === undefined ? message : `${message}, at ${place.path}`;
  return new Diagnostic(code, text, { ...rest, ...(notes?.length ? { notes } : {}), ...where(place) });
}

function where(place: Place | undefined): { file?: string; range?: NonNullable<Place['range']> } {
  return place ? { file: place.file, ...(place.range && { range: place.range }) } : {};
}

/** `recipe.yaml:4:7`, or the property path, or the name of the source. */
export function placeText(place: Place): string {
  if (place.path !== undefined) return place.path;
  return place.range ? `${place.file}:${place.range.line}:${place.range.column}` : place.file;
}
