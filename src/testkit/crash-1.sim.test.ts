// Half of the seeds of the crash trial: two files, so that both cores work.
import { crashTrials } from './crash-trial.ts';

crashTrials(1, 2);
