import type { Editor } from '../../ir/edit.ts';
import type { Extras, Graph, Model } from '../../ir/model.ts';

/** Metadata keys under which exporters record Python stack traces. */
const traceKeys: ReadonlySet<string> = new Set(['pkg.torch.onnx.stack_trace', 'pkg.torch.export.stack_trace', 'stack_trace']);

/** A frame of a stack trace: `File "x.py", line 3` or `/home/x/y.py(12): forward`. Takes time linear in the text, which may be anything. */
const frame = /File "[^"\n]+", line \d+|\.py\(\d+\):/;

/**
 * Removes stack traces from metadata and doc strings of the model, its functions, graphs, nodes, values and output slots. Module paths
 * (`name_scopes`, `class_hierarchy`) stay. Returns how many things had some.
 */
export function stripMachinePaths(model: Model, edit: Editor): number {
  let count = 0;
  const strip = (extras: Extras | undefined, set: (stripped: Extras) => void): void => {
    const stripped = extras && withoutTraces(extras);
    if (stripped === undefined) return;
    set(stripped);
    count++;
  };
  const stripGraph = (graph: Graph): void => {
    strip(graph.extras, (extras) => { edit.setExtras(graph, extras); });
    for (const value of graph.values()) strip(value.extras, (extras) => { edit.setExtras(value, extras); });
    graph.outputs.forEach((output, index) => { strip(output.extras, (extras) => { edit.setOutputExtras(graph, index, extras); }); });
    for (const node of graph.nodes()) {
      strip(node.extras, (extras) => { edit.setExtras(node, extras); });
      node.subgraphs.forEach(stripGraph);
    }
  };
  strip(model.extras, (extras) => { edit.setModel({ extras }); });
  for (const local of model.functions.values()) strip(local.extras, (extras) => { edit.setExtras(local, extras); });
  for (const graph of model.graphs()) stripGraph(graph);
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
