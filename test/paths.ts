import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The repository's root folder, wherever the compiled test lies. */
export const root: string = dirname(createRequire(import.meta.url).resolve('#package'));

/** Models and data of other people's making, beside the repository and never part of it; tests skip where it is absent. */
export const shared: string | undefined = [join(root, '..', 'shared')].find((folder) => existsSync(join(folder, 'models')));
