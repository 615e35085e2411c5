#!/usr/bin/env node
import { run } from './cli/run.ts';

const interrupt = new AbortController();
let interrupted = false;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // The second time, whoever asks does not want to wait.
    if (interrupted) process.exit(130);
    interrupted = true;
    interrupt.abort(new Error('interrupted'));
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`| head`) closes the pipe: that is no error.
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    if (stream === process.stdout) process.stderr.write(`error[output/unwritable]: cannot write to stdout: ${error.message}\n`);
    process.exit(1);
  });
}

process.exitCode = await run(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  isTTY: process.stderr.isTTY,
  columns: process.stderr.columns,
  signal: interrupt.signal,
});
