// Builds what clusters of real kubelets are made of, before the clock of a test runs. Where they cannot run it says why and builds nothing.
import { BINARIES, findBinaries, REAL_KUBELET_BINARIES } from '../../../hack/binaries.mjs';
import { NODE_BINARIES } from './disk.ts';
import { canRunHere } from './index.ts';
import { imageArchives } from './images.ts';
import { imageStore } from './store.ts';

const log = (line: string): void => console.log(line);

if (await canRunHere()) {
  await findBinaries({ names: [...BINARIES, ...REAL_KUBELET_BINARIES], log });
  const binaries = await findBinaries({ names: [...NODE_BINARIES], log });
  await imageStore(await imageArchives({ log }), binaries, log);
}
