/** Takes the data folder and keeps it until it is killed. */
import { lockDataDir } from '../../../src/store/data-dir/lock-data-dir.ts';

lockDataDir(process.argv[2] as string);
process.stdout.write('held\n');
setInterval(() => {}, 1_000);
