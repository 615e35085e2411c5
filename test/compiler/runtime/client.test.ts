import { expect } from 'chai';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { Client } from '../../../compiler/runtime/client.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { Build } from './build.ts';
import { failure } from './failure.ts';
import { slowFeeds, slowModel, smallModel } from './workload.ts';

/** Runs a program that imports the runtime and the workload. */
function script(text: string): SpawnSyncReturns<string> {
  const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const imports = `import { createRuntime } from ${here('../../../compiler/runtime/runtime.js')};
    import { slowModel, slowFeeds, smallModel } from ${here('./workload.js')};`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', `${imports}${text}`], { encoding: 'utf8', timeout: 50_000 });
}

describe('compiler/runtime/client', () => {
  let runtime: OrtRuntime;
  beforeEach(() => { runtime = createRuntime({ threads: 1 }); });
  afterEach(() => runtime.close());

  it('says what to do when onnxruntime-node is not installed', async () => {
    const missing = createRuntime({ package: 'onnxruntime-node-that-is-not-there' });
    const error = await failure(missing.open(smallModel().model));
    await missing.close();
    expect(error.code).to.equal('runtime/not-installed');
    expect(error.message).to.match(/onnxruntime-node-that-is-not-there/);
    expect(error.suggestion).to.contain('ONNXRUNTIME_NODE_INSTALL=skip npm install');
  });

  it('rejects at once when a run is cancelled, loses the sessions of the thread, and goes on with a new one', async () => {
    const slow = await runtime.open(slowModel().model);
    const other = await runtime.open(smallModel().model);
    const abort = new AbortController();
    const started = performance.now();
    const reason = new Error('enough');
    setTimeout(() => { abort.abort(reason); }, 100);
    const error = await slow.run(slowFeeds, abort.signal).then(() => undefined, (caught: unknown) => caught);
    const waited = performance.now() - started;
    expect(error).to.equal(reason);

    const feeds = new Map([['x', Tensor.of('float', new Float32Array([1, -2]))]]);
    expect((await failure(other.run(feeds))).code).to.equal('runtime/session-closed');
    await other.release();
    await slow.release();
    const next = await runtime.open(smallModel().model);
    expect([...(await next.run(feeds)).get('y')!.floats()]).to.deep.equal([-1, 2]);

    const from = performance.now();
    await (await runtime.open(slowModel().model)).run(slowFeeds);
    expect(waited, 'cancelled before the run could have ended').to.be.below((performance.now() - from) / 2 + 100);
  });

  it('does not start what is already cancelled', async () => {
    const session = await runtime.open(smallModel().model);
    const error = await session.run(new Map([['x', Tensor.of('float', [1])]]), AbortSignal.abort(new Error('before'))).then(() => undefined, (caught: unknown) => caught);
    expect(error).to.be.an('error').with.property('message', 'before');
    expect((await session.run(new Map([['x', Tensor.of('float', [1.5])]]))).get('y')!.floats()[0]).to.equal(-1.5);
  });

  it('keeps the event loop running during a run', async () => {
    const session = await runtime.open(slowModel().model);
    let ticks = 0;
    const timer = setInterval(() => { ticks++; }, 5);
    const from = performance.now();
    await session.run(slowFeeds);
    clearInterval(timer);
    expect(ticks).to.be.above((performance.now() - from) / 50);
  });

  it('rejects what is pending when the thread dies, and starts another one at the next call', async () => {
    const client = new Client({ package: 'data:text/javascript,process.exit(7)' });
    const ask = (): Promise<unknown> => client.ask({ kind: 'describe', model: new Uint8Array([1, 2, 3]) });
    for (const error of await Promise.all([ask(), ask()].map(failure))) {
      expect(error.code).to.equal('runtime/died');
      expect(error.message).to.contain('code 7');
    }
    expect((await failure(ask())).code).to.equal('runtime/died');
    await client.close();
    expect((await failure(ask())).code).to.equal('runtime/closed');
  });

  it('rejects what is pending when it is closed, and waits for the thread', async () => {
    const session = await runtime.open(slowModel().model);
    const pending = failure(session.run(slowFeeds));
    await runtime.close();
    expect((await pending).code).to.equal('runtime/closed');
  });

  it('lets the process exit in the middle of a run', () => {
    const child = script(`
      const session = await createRuntime({ threads: 1 }).open(slowModel().model);
      session.run(slowFeeds);
      setTimeout(() => process.exit(5), 100);`);
    expect({ status: child.status, signal: child.signal, stderr: child.stderr }).to.deep.equal({ status: 5, signal: null, stderr: '' });
  });

  it('reports a thread that runs out of memory', async () => {
    const greedy = createRuntime({ package: 'data:text/javascript,const hog=[];for(;;)hog.push(new Array(1e5).fill(hog.length))', heap: 24 });
    const error = await failure(greedy.infer(smallModel().model));
    expect(error.code).to.equal('runtime/died');
    expect(error.message).to.match(/memory/);
    await greedy.close();
  });

  it('does not keep an idle process alive', () => {
    const child = script(`
      await createRuntime().open(smallModel().model);
      process.stdout.write('opened');`);
    expect({ status: child.status, stdout: child.stdout, stderr: child.stderr }).to.deep.equal({ status: 0, stdout: 'opened', stderr: '' });
  });

  it('holds memory when sessions come and go', async function () {
    this.timeout(120_000);
    const build = new Build();
    const weights = build.constant(Tensor.of('float', new Float32Array(1 << 18), [512, 512]), 'weights');
    build.output(build.value('MatMul', [build.input('x', 'float', ['N', 512]), weights]), 'y');
    const feeds = new Map([['x', Tensor.of('float', new Float32Array(512), [1, 512])]]);
    const once = async (): Promise<void> => {
      const session = await runtime.open(build.model);
      await session.run(feeds);
      await session.release();
    };
    for (let round = 0; round < 50; round++) await once();
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 200; round++) await once();
    // 200 sessions of 1 MiB of weights each would be 200 MiB and more.
    expect((process.memoryUsage.rss() - before) / 2 ** 20).to.be.below(60);
  });
});
