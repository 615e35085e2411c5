import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { run } from '../../compiler/index.ts';
import { imageSets, writeImages } from './images.ts';

/** This example's folder in the repository, wherever the compiled program lies. */
const folder = join(dirname(createRequire(import.meta.url).resolve('#package')), 'examples/demo');

const host = { cwd: folder, env: process.env, stdout: process.stdout, stderr: process.stdout, isTTY: false, signal: new AbortController().signal };

for (const [name, set] of Object.entries(imageSets)) {
  console.log(`${set.count} generated images for ${name} in examples/demo/build/${name}`);
  await writeImages(join(folder, 'build', name), set);
}
for (const target of ['tensorrt', 'cpu']) {
  const command = `compile ${target}.recipe.yaml --report build/${target}.json --html build/${target}.html`;
  console.log(`\n$ onnxpress ${command}\n`);
  process.exitCode ||= await run(command.split(' '), host);
}
