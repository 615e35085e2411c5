/**
 * Reads a model and writes it back: this codec (weights stay in their files), protobufjs, and a plain copy of the bytes, each in a process of its own, in turn;
 * the fastest of three rounds counts, since a disk that others use as well is slow at times.
 *
 *     npm run build && node dist/bench/codec.js [MEGABYTES] [external]
 *
 * MEGABYTES is the size of the weights (default 1500; protobufjs runs up to 200 only, since it needs minutes and gigabytes beyond). With `external`
 * the weights lie in a side file, as they must above 2 GB. The model is made in a temporary folder: 300 tensors, 2000 nodes.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { openModelFile } from '../compiler/files/model-file.ts';
import { writeFiles } from '../compiler/files/write-files.ts';
import { memorySource } from '../ir/bytes.ts';
import { Editor } from '../ir/edit.ts';
import { Graph, Model, type Value } from '../ir/model.ts';
import { writeModel } from '../ir/onnx/write.ts';
import { Tensor } from '../ir/tensor.ts';
import { tensorType } from '../ir/type.ts';

const tensors = 300;
const nodes = 2000;
const protobufLimit = 200;
const rounds = 3;

interface Measured {
  readonly seconds: number;
  /** Peak of the process beyond what it had when it began, in MB. */
  readonly megabytes: number;
}

const sides: Readonly<Record<string, (path: string, output: string) => void>> = {
  'plain copy'(path, output) {
    copyFileSync(path, output);
    const side = path.replace('model.onnx', 'weights.bin');
    if (exists(side)) copyFileSync(side, `${output}.bin`);
    for (const file of [output, `${output}.bin`].filter(exists)) flush(file);
  },
  onnxpress(path, output) {
    const { model, close } = openModelFile(path);
    const external = exists(path.replace('model.onnx', 'weights.bin'));
    const written = writeModel(model, external ? { external: { location: 'out.onnx.bin' } } : {});
    writeFiles([...(written.external ? [{ path: `${output}.bin`, chunks: written.external }] : []), { path: output, chunks: written.model }]);
    close();
  },
  protobufjs(path, output) {
    protobuf.Reader.discardUnknown = false;
    const schema = join(createRequire(import.meta.url).resolve('#package'), '..', 'test', 'ir', 'onnx', 'onnx-schema.proto');
    const type = protobuf.loadSync(schema).lookupType('onnx.ModelProto');
    writeFileSync(output, type.encode(type.decode(readFileSync(path))).finish());
    flush(output);
  },
};

/** A chain of additions over noise: all tensors are ranges of one small file of seeded bytes. */
function makeModel(folder: string, megabytes: number, external: boolean): string {
  const length = Math.floor((megabytes * 1e6) / tensors / 4);
  const noise = new Uint32Array(length + tensors);
  let state = 1;
  for (let index = 0; index < noise.length; index++) noise[index] = (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) & 0x3fffffff;
  const source = memorySource(new Uint8Array(noise.buffer), 'noise');
  const graph = new Graph('bench');
  const model = new Model(graph, { irVersion: 10, opsets: new Map([['', 17]]) });
  const edit = new Editor(model);
  const type = tensorType('float', [length]);
  let value: Value = edit.addInput(graph, 'x', type);
  for (let index = 0; index < nodes; index++) {
    const range = { source, offset: 4 * index, length: 4 * length };
    const weight = index < tensors ? [edit.constant(graph, Tensor.fromRange('float', [length], range), 'w')] : [];
    value = edit.insert({ op: weight.length > 0 ? 'Add' : 'Relu', inputs: [value, ...weight], outputs: [type] }, graph).output;
  }
  edit.setOutput(graph, 0, value, 'y');
  const path = join(folder, 'model.onnx');
  const written = writeModel(model, external ? { external: { location: 'weights.bin' } } : {});
  writeFiles([...(written.external ? [{ path: join(folder, 'weights.bin'), chunks: written.external }] : []), { path, chunks: written.model }]);
  return path;
}

function measure(side: string, path: string, output: string): Measured {
  for (const file of [output, `${output}.bin`]) rmSync(file, { force: true });
  const self = fileURLToPath(import.meta.url);
  return JSON.parse(execFileSync(process.execPath, [self, '--side', side, path, output], { encoding: 'utf8', maxBuffer: 1 << 20 })) as Measured;
}

function runSide(side: string, path: string, output: string): void {
  const base = process.resourceUsage().maxRSS;
  const start = performance.now();
  sides[side]!(path, output);
  const measured: Measured = { seconds: (performance.now() - start) / 1000, megabytes: (process.resourceUsage().maxRSS - base) / 1024 };
  process.stdout.write(JSON.stringify(measured));
}

function main(args: readonly string[]): void {
  const external = args.includes('external');
  const megabytes = Number(args.find((item) => /^\d+$/.test(item)) ?? 1500);
  const folder = mkdtempSync(join(tmpdir(), 'onnxpress-bench-'));
  try {
    const path = makeModel(folder, megabytes, external);
    const output = join(folder, 'out.onnx');
    const names = Object.keys(sides).filter((name) => name !== 'protobufjs' || (megabytes <= protobufLimit && !external));
    fillFileCache(folder);
    const all = Array.from({ length: rounds }, () => names.map((name) => measure(name, path, output)));
    const results = names.map((name, index) => [name, all.map((round) => round[index]!).reduce((best, each) => (each.seconds < best.seconds ? each : best))] as const);
    const copy = results[0]![1].seconds;
    console.log(`${megabytes} MB of weights${external ? ' beside the model' : ''}, ${nodes} nodes`);
    for (const [name, { seconds, megabytes: peak }] of results) {
      console.log(`${name.padEnd(12)} ${seconds.toFixed(2).padStart(7)} s  ${(seconds / copy).toFixed(2).padStart(6)} × copy  ${peak.toFixed(0).padStart(6)} MB more memory`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One copy that is not measured, so that the first side does not pay for filling the file cache. */
function fillFileCache(folder: string): void {
  sides['plain copy']!(join(folder, 'model.onnx'), join(folder, 'out.onnx'));
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function flush(path: string): void {
  const fd = openSync(path, 'r+');
  fsyncSync(fd);
  closeSync(fd);
}

const [, , flag, side, path, output] = process.argv;
if (flag === '--side') runSide(side!, path!, output!);
else main(process.argv.slice(2));
