import { chunksLength, joinChunks, type Chunk } from '../../ir/bytes.ts';
import { Diagnostic, type DiagnosticDetails } from '../../ir/diagnostic.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Model, Value } from '../../ir/model.ts';
import type { NodeProto } from '../../ir/onnx/fields.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, printType, tensorType, type TensorType, type Type } from '../../ir/type.ts';
import type { Feeds, Session, SessionOptions } from '../../passes/runtime.ts';
import { Refusal, type Client } from './client.ts';
import { helperNode, Probe, type ProbeParts } from './probe.ts';
import { dtypeOfOrt, type WireTensor } from './protocol.ts';
import { refused } from './refusal.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { carrierOf, fromWire, toWire } from './wire.ts';

/** One result of a run: its name for the caller, its name in the probe, and its element type if it travels in another one. */
interface Result {
  readonly name: string;
  readonly output: string;
  readonly dtype: DType | undefined;
}

/** One input: its name for the caller and in the probe, its type, and whether it has a default. */
interface Feed {
  readonly name: string;
  readonly input: string;
  readonly type: TensorType;
  readonly optional: boolean;
}

/** A model written for a session. */
interface Script {
  readonly model: Model;
  readonly probe: Probe;
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly results: readonly Result[];
  readonly chunks: readonly Chunk[];
  /** The elements of large constants, where they lie in a side file. */
  readonly side?: readonly Chunk[];
}

/** How the sessions of a runtime are opened. */
export interface OpenContext {
  readonly client: Client;
  readonly threads: number;
  /** Models of more bytes are handed over as files. */
  readonly inlineBytes: number;
  readonly scratchFolder: string;
  infer(model: Model): Promise<Map<Value, Type>>;
}

/** Name of the side file, and the alignment of the tensors in it, so that they can be mapped into memory. */
const sideFile = 'weights.bin';
const page = 4096;

/**
 * Opens a model; see `Runtime.open`. Outputs of the model that are no tensors (sequences, maps) are not among the results. Throws `runtime/fetch` for a
 * value that cannot be fetched, `runtime/unsupported-type` for tensors that cannot cross, and `runtime/open` where ONNX Runtime refuses the model.
 */
export async function openSession(model: Model, options: SessionOptions, context: OpenContext): Promise<Session> {
  const { client } = context;
  const wanted = wantedValues(model, options.fetch ?? []);
  const untyped = wanted.some(([, value]) => value.tensor === undefined && dtypeOfType(value.type) === undefined);
  const types = untyped ? await context.infer(model) : undefined;
  const script = writeScript(model, wanted, (value) => types?.get(value) ?? value.type, context.inlineBytes);
  const scratch = script.side === undefined ? undefined : await makeScratch(context.scratchFolder, script.chunks, sideFile, script.side);
  const session = new OpenSession(client, script, scratch);
  try {
    await session.create({ optimization: options.optimization ?? 'disabled', threads: options.threads ?? context.threads });
    return session;
  } catch (error) {
    await session.release();
    throw error instanceof Refusal ? refused('runtime/open', 'ONNX Runtime refuses the model', error.message, script.probe, fileOf(model)) : error;
  }
}

/** Names and values of all results, the model's outputs first. */
function wantedValues(model: Model, fetch: readonly Value[]): (readonly [name: string, value: Value])[] {
  for (const value of fetch) {
    if (value.graph === model.graph) continue;
    throw new Diagnostic('runtime/fetch', `'${value.name}' cannot be fetched: it is not a value of the model's main graph`, {
      tensor: value.name, suggestion: 'Fetch values of the main graph; what happens inside a body is seen at the outputs of its node.', ...fileOf(model),
    });
  }
  return [...model.graph.outputs.map(({ name, value }) => [name, value] as const), ...fetch.map((value) => [value.name, value] as const)];
}

function writeScript(model: Model, wanted: readonly (readonly [string, Value])[], typeOf: (value: Value) => Type | undefined, inlineBytes: number): Script {
  const { graph } = model;
  const probe = new Probe(graph);
  const inputs: ProbeParts['inputs'][number][] = [];
  const casts: NodeProto[] = [];
  const feeds = new Map<string, Feed>();
  const constants = new Map<Value, Tensor>();
  for (const value of graph.constants) constants.set(value, value.tensor!);
  for (const value of graph.inputs) {
    if (value.tensor !== undefined) constants.set(value, value.tensor);
    if (value.tensor !== undefined && model.irVersion < 4) continue; // cannot be overridden in these versions
    const type = typeOf(value) ?? (value.tensor && tensorType(value.tensor.dtype, value.tensor.shape));
    const carrier = type?.kind === 'tensor' && type.dtype !== undefined ? carrierOf(type.dtype) : undefined;
    if (type?.kind !== 'tensor' || carrier === undefined) {
      throw new Diagnostic('runtime/unsupported-type', `input '${value.name}' of type ${printType(type)} cannot be fed`, {
        tensor: value.name, ...fileOf(model), suggestion: 'Give the input a tensor type that ONNX Runtime and JavaScript share.',
      });
    }
    const direct = carrier === type.dtype;
    if (!direct && value.tensor !== undefined) continue; // the default stands: a cast in its place could not be left out
    const name = probe.nameOf(value);
    const input = direct ? name : `i${name.slice(1)}`;
    inputs.push({ ...probe.declare(value, tensorType(carrier, type.shape)), name: input });
    if (!direct) casts.push(helperNode('Cast', input, input, name, type.dtype));
    feeds.set(value.name, { name: value.name, input, type, optional: value.tensor !== undefined });
  }

  const nodes = Array.from(graph.nodes(), (node) => probe.node(node));
  const outputs = new Map<Value, Result>();
  const claims: ProbeParts['inputs'][number][] = [];
  const results: Result[] = [];
  for (const [name, value] of wanted) {
    let result = outputs.get(value);
    if (result === undefined) {
      const type = constants.has(value) ? tensorType(constants.get(value)!.dtype) : typeOf(value);
      if (type !== undefined && type.kind !== 'tensor') continue;
      const dtype = type?.dtype;
      const carrier = dtype === undefined ? undefined : carrierOf(dtype);
      if (dtype !== undefined && carrier === undefined) throw cannotFetch(value, dtype, model);
      const direct = carrier === dtype;
      const source = probe.nameOf(value);
      const output = direct && value.producer !== undefined ? source : `c${source.slice(1)}`;
      if (!direct) claims.push(probe.declare(value, tensorType(dtype!)));
      if (output !== source) casts.push(direct ? helperNode('Identity', output, source, output) : helperNode('Cast', output, source, output, carrier));
      outputs.set(value, result = { name, output, dtype: direct ? undefined : dtype });
    }
    results.push({ ...result, name });
  }

  const total = chunksLength(Array.from(constants.values(), (tensor) => ({ length: tensor.byteLength }) as Chunk));
  const side: Chunk[] | undefined = total > inlineBytes ? [] : undefined;
  let offset = 0;
  const initializers = Array.from(constants, ([value, tensor]) => {
    if (side === undefined || tensor.dtype === 'string' || tensor.byteLength < page) return probe.initializer(value, tensor);
    const padding = (page - (offset % page)) % page;
    side.push(new Uint8Array(padding), tensor.chunk());
    offset += padding;
    const entries = [['location', sideFile], ['offset', String(offset)], ['length', String(tensor.byteLength)]] as const;
    offset += tensor.byteLength;
    return probe.initializer(value, tensor, entries);
  });
  const chunks = probe.model({ inputs, initializers, nodes: [...nodes, ...casts], outputs: [...new Set(results.map(({ output }) => output))], claims });
  return { model, probe, feeds, results, chunks, ...(side !== undefined && { side }) };
}

class OpenSession implements Session {
  private readonly client: Client;
  private readonly script: Script;
  private readonly scratch: Scratch | undefined;
  private readonly id: number;
  private readonly generation: number;
  private open = false;

  constructor(client: Client, script: Script, scratch: Scratch | undefined) {
    this.client = client;
    this.script = script;
    this.scratch = scratch;
    this.id = client.newSession();
    this.generation = client.generation;
  }

  async create(settings: { readonly optimization: 'disabled' | 'basic' | 'extended' | 'all'; readonly threads: number }): Promise<void> {
    const { script, scratch, client } = this;
    const outputs = await client.ask({ kind: 'create', session: this.id, model: scratch?.model ?? joinChunks(script.chunks), settings });
    this.open = true;
    // Fetching one of these would abort the process.
    const fatal = outputs.find(({ type }) => type === 'int4' || type === 'uint4');
    if (fatal !== undefined) throw cannotFetch(script.probe.valueOf(fatal.name)!, fatal.type as DType, script.model);
  }

  async run(feeds: Feeds, signal?: AbortSignal): Promise<Map<string, Tensor>> {
    const { client, script: { probe, results, model }, id } = this;
    const wire = this.check(feeds);
    if (!this.open || this.generation !== client.generation) {
      throw new Diagnostic('runtime/session-closed', this.open ? 'the session was lost when ONNX Runtime was restarted' : 'the session has been released', {
        ...fileOf(model), suggestion: 'Open the model again.',
      });
    }
    const fetch = [...new Set(results.map(({ output }) => output))];
    try {
      const tensors = await client.ask({ kind: 'run', session: id, feeds: wire, fetch }, signal);
      const byOutput = new Map(fetch.map((output, index) => [output, tensors[index]!]));
      const read = new Map<string, Tensor>();
      return new Map(results.map(({ name, output, dtype }) => {
        const tensor = byOutput.get(output)!;
        const made = read.get(output) ?? fromWire(tensor, dtype ?? dtypeOfOrt(tensor.type));
        read.set(output, made);
        return [name, made];
      }));
    } catch (error) {
      throw error instanceof Refusal ? refused('runtime/run', 'ONNX Runtime failed', error.message, probe, fileOf(model)) : error;
    }
  }

  async release(): Promise<void> {
    const alive = this.open && this.generation === this.client.generation;
    this.open = false;
    try {
      if (alive) await this.client.ask({ kind: 'release', session: this.id });
    } catch (error) {
      // A thread that died or was closed has released everything.
      if (!Diagnostic.is(error)) throw error;
    } finally {
      await this.scratch?.remove();
    }
  }

  /** Feeds as they travel. Throws `runtime/input-mismatch` where they do not fit the model's inputs. */
  private check(feeds: Feeds): Map<string, WireTensor> {
    const inputs = this.script.feeds;
    for (const name of feeds.keys()) {
      if (!inputs.has(name)) throw this.mismatch(name, `the model has no input '${name}'`, { expected: [...inputs.keys()] });
    }
    const symbols = new Map<string, readonly [size: number, input: string]>();
    const wire = new Map<string, WireTensor>();
    for (const { name, input, type, optional } of inputs.values()) {
      const tensor = feeds.get(name);
      const expected = { expected: [printType(type)] };
      if (tensor === undefined) {
        if (optional) continue;
        throw this.mismatch(name, `input '${name}' (${printType(type)}) was not given`, expected);
      }
      const actual = printType(tensorType(tensor.dtype, tensor.shape));
      const { shape } = tensor;
      const fits = tensor.dtype === type.dtype && (type.shape === undefined
        || (shape.length === type.shape.length && type.shape.every((dim, axis) => typeof dim !== 'number' || dim === shape[axis])));
      if (!fits) throw this.mismatch(name, `input '${name}' takes ${printType(type)}, but was given ${actual}`, { ...expected, actual });
      type.shape?.forEach((dim, axis) => {
        if (typeof dim !== 'string') return;
        const [size, other] = symbols.get(dim) ?? [shape[axis]!, name];
        if (size !== shape[axis]) {
          throw this.mismatch(name, `input '${name}' was given ${actual}, where '${dim}' is ${shape[axis]!}, but it is ${size} at input '${other}'`, { ...expected, actual });
        }
        symbols.set(dim, [size, other]);
      });
      wire.set(input, toWire(tensor));
    }
    return wire;
  }

  private mismatch(tensor: string, message: string, details: DiagnosticDetails): Diagnostic {
    return new Diagnostic('runtime/input-mismatch', message, {
      tensor, ...details, ...fileOf(this.script.model), suggestion: 'Feed one tensor of the stated element type and shape for each input.',
    });
  }
}

function fileOf({ source }: Model): DiagnosticDetails {
  return source === undefined ? {} : { file: source };
}

function cannotFetch(value: Value, dtype: DType, model: Model): Diagnostic {
  return new Diagnostic('runtime/unsupported-type', `'${value.name}' cannot be fetched: JavaScript and ONNX Runtime have no common form of ${dtype} elements`, {
    tensor: value.name, ...fileOf(model), suggestion: 'Fetch a value before or behind it, where the elements have another type.',
  });
}
