import { clusterStatusOf } from '../api/cluster-status.ts';
import { packetsOf } from '../report/services.ts';
import { countServices, isAmong, serviceViews } from '../services/inventory.ts';
import type { Only } from '../services/only.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { printServices, servicesDocument } from './print-services.ts';
import { complain, printOptions } from './terminal.ts';

export interface ServicesOptions extends LookOptions {
  readonly only?: Only;
}

/** `kubectl dualstack services`: a list, so it ends with 0 whatever it shows. */
export const services = (options: ServicesOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, ({ facts, plan, resource }) => {
    const all = serviceViews(facts, plan.wanted);
    if (!all.known) {
      complain(dependencies.terminal, `Error: Services cannot be listed: ${all.why}`);
      return EXIT.Error;
    }
    const format = options.output ?? 'text';
    const { only } = options;
    const shown = only === undefined ? all.value : all.value.filter((view) => isAmong(view, only));
    const whole = { counts: countServices(all.value), packets: packetsOf(clusterStatusOf(resource).services) };
    const screen = printOptions(dependencies.terminal, format === 'wide', facts.at);
    dependencies.terminal.write(
      documentText(servicesDocument(shown, whole), format) ?? printServices(shown, whole, screen),
    );
    return EXIT.OK;
  });
