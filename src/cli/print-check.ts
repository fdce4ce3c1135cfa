import { isBlocker } from '../model/finding.ts';
import { at } from '../model/object.ts';
import { FAMILIES } from '../net/family.ts';
import { hasAll } from '../nodes/told.ts';
import type { Look } from './look.ts';
import { printFindings } from './print-findings.ts';
import { findingDocument, summarise } from './print-plan.ts';
import { paint, plural, type PrintOptions, spanText, wrap } from './text.ts';

/** The preflight for people: what was found, what was asked for, what stands in the way, and the verdict last. */
export function printCheck(seen: Look, options: PrintOptions): string {
  const blocks = [factLines(seen, options), printFindings(seen.plan.findings, options), verdict(seen, options)];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

function factLines(seen: Look, options: PrintOptions): readonly string[] {
  const { facts } = seen;
  const dual = facts.nodes.filter((node) => hasAll(node, FAMILIES)).length;
  const services = facts.serviceCIDR.known ? facts.serviceCIDR.value.join(', ') : `not known: ${facts.serviceCIDR.why}`;
  const lines: readonly (readonly [string, string])[] = [
    ['Kubernetes', facts.basics.kubernetesVersion],
    ['Distribution', `${facts.distribution.name} (${facts.distribution.detectedBy})`],
    ['CNI', `${facts.cni.name} (${facts.cni.detectedBy})`],
    ['Nodes', `${facts.nodes.length}, of which ${dual} have both families`],
    ['Service CIDRs', services],
    ['Wanted', wantedText(seen)],
    ['Wanted by', seen.source],
  ];
  return lines.flatMap(([label, text]) => {
    const [first = '', ...rest] = wrap(text, options.width - 15);
    return [`${paint(label.padEnd(15), 'dim', options)}${first}`, ...rest.map((line) => `${' '.repeat(15)}${line}`)];
  });
}

function wantedText({ resource }: Look): string {
  const list = (...path: readonly string[]): string => {
    const value = at(resource, 'spec', ...path);
    return Array.isArray(value) ? value.join(', ') : '';
  };
  const pods = list('clusterNetwork', 'pods', 'cidrBlocks');
  const services = list('clusterNetwork', 'services', 'cidrBlocks');
  return [list('ipFamilies'), pods === '' ? '' : `pods ${pods}`, services === '' ? '' : `Services ${services}`]
    .filter((part) => part !== '')
    .join('; ');
}

function verdict({ plan }: Look, options: PrintOptions): readonly string[] {
  const { total, done, disruptions, disruptionSeconds, blockers, warnings } = summarise(plan);
  const noted = warnings === 0 ? '' : ` ${plural(warnings, 'warning')} to read.`;
  if (blockers > 0) {
    const text = `Not yet: ${plural(blockers, 'blocker')} to clear first.${noted}`;
    return wrap(text, options.width).map((line) => paint(line, 'red', options));
  }
  const steps =
    total === done
      ? 'Nothing is left to do.'
      : `${plural(total - done, 'step')} ahead` +
        (disruptions === 0
          ? '.'
          : `, ${disruptions} of them with interruptions of together ${spanText(disruptionSeconds)}.`) +
        ' See them: kubectl dualstack plan.';
  return wrap(`Ready for it. ${steps}${noted}`, options.width).map((line) => paint(line, 'green', options));
}

/** The same for machines. */
export const checkDocument = ({ facts, plan, resource, source }: Look): object => ({
  ready: !plan.findings.some(isBlocker),
  kubernetesVersion: facts.basics.kubernetesVersion,
  distribution: { name: facts.distribution.name, detectedBy: facts.distribution.detectedBy },
  cni: { name: facts.cni.name, detectedBy: facts.cni.detectedBy },
  serviceCIDRs: facts.serviceCIDR.known ? facts.serviceCIDR.value : null,
  wantedBy: source,
  wanted: at(resource, 'spec'),
  blockers: plan.findings.filter(isBlocker).map(findingDocument),
  warnings: plan.findings.filter((finding) => !isBlocker(finding)).map(findingDocument),
});
