import type { Editor } from '../../ir/edit.ts';
import type { Extras, Model, Node, Value } from '../../ir/model.ts';

/** Metadata keys under which exporters record Python stack traces. */
const traceKeys: ReadonlySet<string> = new Set(['pkg.torch.onnx.stack_trace', 'pkg.torch.export.stack_trace', 'stack_trace']);

/** A frame of a stack trace: `File "x.py", line 3` or `/home/x/y.py(12): forward`. */
const frame = /File "[^"\n]+", line \d+|\S+\.py\(\d+\):/;

/** Removes stack traces from metadata and doc strings of nodes and values. Module paths (`name_scopes`, `class_hierarchy`) stay. Returns how many there were. */
export function stripMachinePaths(model: Model, edit: Editor): number {
  let count = 0;
  const strip = (thing: Node | Value): void => {
    const { extras } = thing;
    if (extras === undefined) return;
    const stripped = withoutTraces(extras);
    if (stripped === undefined) return;
    edit.setExtras(thing, stripped);
    count++;
  };
  for (const graph of model.graphs()) {
    for (const value of graph.values()) strip(value);
    for (const node of graph.walk()) {
      strip(node);
      for (const body of node.subgraphs) for (const value of body.values()) strip(value);
    }
  }
  return count;
}

/** The extras without stack traces; undefined if there is none. */
function withoutTraces(extras: Extras): Extras | undefined {
  const metadata = [...(extras.metadata ?? [])].filter(([key, text]) => !traceKeys.has(key) && !frame.test(text));
  const traced = extras.docString !== undefined && frame.test(extras.docString);
  if (!traced && metadata.length === (extras.metadata?.size ?? 0)) return undefined;
  const { docString, unknown } = extras;
  return {
    ...(docString !== undefined && !traced && { docString }),
    ...(metadata.length > 0 && { metadata: new Map(metadata) }),
    ...(unknown && { unknown }),
  };
}
