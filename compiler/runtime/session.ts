import { joinChunks, type Chunk } from '../../ir/bytes.ts';
import { Diagnostic, type DiagnosticDetails } from '../../ir/diagnostic.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Model, Value } from '../../ir/model.ts';
import type { NodeProto } from '../../ir/onnx/fields.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, printType, tensorType, type TensorType, type Type } from '../../ir/type.ts';
import type { Feeds, Session, SessionOptions } from '../../passes/runtime.ts';
import { Refusal, type Client } from './client.ts';
import { helperNode, Probe, type ProbeParts } from './probe.ts';
import { dtypeOfOrt, type SessionSettings, type WireTensor } from './protocol.ts';
import { refused } from './refusal.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { carrierOf, fromWire, toWire } from './wire.ts';

/** One result of a run: its name for the caller, its name in the probe, and its element type if it travels in another one. */
interface Result {
  readonly name: string;
  readonly output: string;
  readonly dtype: DType | undefined;
}

/** One input: its name for the caller and in the probe, its type, and the tensor that stands in its place unless the caller gives one. */
interface Feed {
  readonly name: string;
  readonly input: string;
  readonly type: TensorType;
  readonly standing: Tensor | undefined;
}

/** A model written for a session. */
interface Script {
  readonly model: Model;
  readonly probe: Probe;
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly results: readonly Result[];
  readonly chunks: readonly Chunk[];
  /** The elements of large constants, where they lie in a side file. */
  readonly side?: Iterable<Chunk>;
  /** Inputs with a default that callers may override now. */
  readonly variable: ReadonlySet<string>;
  readonly version: number;
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
  return await prepared(model, options, context);
}

/**
 * Makes a session with all optimisations, which leaves the optimised model in a file, and drops it again. Returns the probe that knows whose names the names in
 * that file are. Throws what `openSession` throws.
 */
export async function writeOptimized(model: Model, path: string, context: OpenContext): Promise<Probe> {
  const session = await prepared(model, { optimization: 'all' }, context, path);
  await session.release();
  return session.probe;
}

async function prepared(model: Model, options: SessionOptions, context: OpenContext, optimizedTo?: string): Promise<OpenSession> {
  const wanted = wantedValues(model, options.fetch ?? []);
  const untyped = wanted.some(([, value]) => value.tensor === undefined && dtypeOfType(value.type) === undefined);
  const types = untyped ? await context.infer(model) : undefined;
  const write = (variable: ReadonlySet<string>): Script => writeScript(model, wanted, (value) => types?.get(value) ?? value.type, context.inlineBytes, variable);
  const session = new OpenSession(context, write, {
    optimization: options.optimization ?? 'disabled', threads: options.threads ?? context.threads, ...(optimizedTo !== undefined && { optimizedTo }),
  });
  await session.prepare(new Set());
  return session;
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

function writeScript(
  model: Model, wanted: readonly (readonly [string, Value])[], typeOf: (value: Value) => Type | undefined, inlineBytes: number, variable: ReadonlySet<string>,
): Script {
  const { graph } = model;
  const probe = new Probe(graph);
  const inputs: ProbeParts['inputs'][number][] = [];
  const casts: NodeProto[] = [];
  const feeds = new Map<string, Feed>();
  const constants = new Map<Value, Tensor>();
  for (const value of graph.constants) constants.set(value, value.tensor!);
  for (const value of graph.inputs) {
    const standing = value.tensor;
    if (standing !== undefined && !variable.has(value.name)) constants.set(value, standing);
    if (standing !== undefined && model.irVersion < 4) continue; // cannot be overridden in these versions
    const type = typeOf(value) ?? (standing && tensorType(standing.dtype, standing.shape));
    const carrier = type?.kind === 'tensor' && type.dtype !== undefined ? carrierOf(type.dtype) : undefined;
    if (type?.kind !== 'tensor' || carrier === undefined) {
      throw new Diagnostic('runtime/unsupported-type', `input '${value.name}' of type ${printType(type)} cannot be fed`, {
        tensor: value.name, ...fileOf(model), suggestion: 'Give the input a tensor type that ONNX Runtime and JavaScript share.',
      });
    }
    const direct = carrier === type.dtype;
    const name = probe.nameOf(value);
    const input = direct ? name : `i${name.slice(1)}`;
    feeds.set(value.name, { name: value.name, input, type, standing });
    if (constants.has(value)) continue;
    inputs.push({ ...probe.declare(value, tensorType(carrier, type.shape)), name: input });
    if (!direct) casts.push(helperNode('Cast', input, input, name, type.dtype));
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

  let total = 0;
  for (const tensor of constants.values()) total += tensor.byteLength;
  const aside: Tensor[] | undefined = total > inlineBytes ? [] : undefined;
  let offset = 0;
  const initializers = Array.from(constants, ([value, tensor]) => {
    if (aside === undefined || tensor.dtype === 'string' || tensor.byteLength < page) return probe.initializer(value, tensor);
    aside.push(tensor);
    const entries = [['location', sideFile], ['offset', String(offset)], ['length', String(tensor.byteLength)]] as const;
    offset += padded(tensor.byteLength);
    return probe.initializer(value, tensor, entries);
  });
  const chunks = probe.model({ inputs, initializers, nodes: [...nodes, ...casts], outputs: [...new Set(results.map(({ output }) => output))], claims });
  return { model, probe, feeds, results, chunks, variable, version: model.version, ...(aside !== undefined && { side: pages(aside) }) };
}

/** Tensors one after the other, each made when its turn comes and followed by zeros up to the next page. */
function* pages(tensors: readonly Tensor[]): Iterable<Chunk> {
  for (const tensor of tensors) {
    yield tensor.chunk();
    yield new Uint8Array(padded(tensor.byteLength) - tensor.byteLength);
  }
}

function padded(length: number): number {
  return Math.ceil(length / page) * page;
}

class OpenSession implements Session {
  private readonly client: Client;
  private readonly context: OpenContext;
  private readonly write: (variable: ReadonlySet<string>) => Script;
  private readonly settings: SessionSettings;
  private script!: Script;
  private scratch: Scratch | undefined;
  private id = 0;
  private generation = 0;
  private open = false;

  constructor(context: OpenContext, write: (variable: ReadonlySet<string>) => Script, settings: SessionSettings) {
    this.client = context.client;
    this.context = context;
    this.write = write;
    this.settings = settings;
  }

  get probe(): Probe {
    return this.script.probe;
  }

  /** Makes the session proper, in which these inputs with a default can be fed; what was there before is released. */
  async prepare(variable: ReadonlySet<string>): Promise<void> {
    await this.release();
    const { client, context, settings } = this;
    const script = this.script = this.write(variable);
    this.id = client.newSession();
    this.generation = client.generation;
    try {
      if (script.side !== undefined) this.scratch = await makeScratch(context.scratchFolder, script.chunks, sideFile, script.side);
      const model = this.scratch?.model ?? joinChunks(script.chunks);
      const outputs = await client.ask({ kind: 'create', session: this.id, model, settings });
      this.open = true;
      // Fetching one of these would abort the process.
      const fatal = outputs.find(({ type }) => type === 'int4' || type === 'uint4');
      if (fatal !== undefined) throw cannotFetch(script.probe.valueOf(fatal.name)!, fatal.type as DType, script.model);
    } catch (error) {
      await this.release();
      throw error instanceof Refusal ? refused('runtime/open', 'ONNX Runtime refuses the model', error.message, script.probe, fileOf(script.model)) : error;
    }
  }

  async run(feeds: Feeds, signal?: AbortSignal): Promise<Map<string, Tensor>> {
    const { client } = this;
    this.assertOpen();
    this.check(feeds);
    const { variable, model, version } = this.script;
    const overridden = [...feeds.keys()].filter((name) => this.script.feeds.get(name)!.standing !== undefined && !variable.has(name));
    // onnxruntime-node ignores feeds for initializers, so an input with a default is a constant until somebody feeds it.
    if (overridden.length > 0) {
      if (model.version !== version) throw this.closed('the model was changed since it was opened, so the default of an input cannot be overridden any more');
      await this.prepare(new Set([...variable, ...overridden]));
    }
    const { probe, results } = this.script;
    const wire = this.wire(feeds);
    const fetch = [...new Set(results.map(({ output }) => output))];
    try {
      const tensors = await client.ask({ kind: 'run', session: this.id, feeds: wire, fetch }, signal);
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
      this.scratch = undefined;
    }
  }

  private assertOpen(): void {
    if (!this.open) throw this.closed('the session has been released');
    if (this.generation !== this.client.generation) throw this.closed('the session was lost when ONNX Runtime was restarted');
  }

  private closed(message: string): Diagnostic {
    return new Diagnostic('runtime/session-closed', message, { ...fileOf(this.script.model), suggestion: 'Open the model again.' });
  }

  /** Feeds as they travel; an input that could be fed and is not gets its default. */
  private wire(feeds: Feeds): Map<string, WireTensor> {
    const { feeds: inputs, variable } = this.script;
    return new Map([...inputs.values()].filter(({ name, standing }) => standing === undefined || variable.has(name))
      .map(({ name, input, standing }) => [input, toWire(feeds.get(name) ?? standing!)]));
  }

  /** Throws `runtime/input-mismatch` where feeds do not fit the model's inputs. */
  private check(feeds: Feeds): void {
    const inputs = this.script.feeds;
    for (const name of feeds.keys()) {
      if (!inputs.has(name)) throw this.mismatch(name, `the model has no input '${name}'`, { expected: [...inputs.keys()] });
    }
    const symbols = new Map<string, readonly [size: number, input: string]>();
    for (const { name, type, standing } of inputs.values()) {
      const tensor = feeds.get(name);
      const expected = { expected: [printType(type)] };
      if (tensor === undefined) {
        if (standing !== undefined) continue;
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
    }
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
