import { expect, test } from '@jest/globals';
import { CLOUDS } from '../../../src/providers/clouds.ts';
import { enableCommand, expectationOf, type Place } from '../../../src/providers/expect.ts';
import { SYSTEMS } from '../../../src/providers/systems.ts';

const place = (providerID: string, osImage: string, labels: Place['labels'] = {}): Place => ({
  providerID,
  osImage,
  labels,
});

const advice = CLOUDS.flatMap(({ name, publish, give }) =>
  [publish, give].flatMap((each) => each ?? []).map((each) => ({ name, ...each })),
);

test.each([...advice, ...SYSTEMS])('$name tells where it was read: $source', ({ source }) => {
  expect(new URL(source).protocol).toBe('https:');
});

test('a scheme, a label, an id names one cloud; an id one system', () => {
  for (const named of [CLOUDS.flatMap(({ schemes }) => schemes), CLOUDS.flatMap(({ labels }) => labels)])
    expect(new Set(named).size).toBe(named.length);
  for (const entries of [CLOUDS, SYSTEMS]) expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
});

test.each([
  ['aws:///eu-central-1a/i-0abc', 'aws'],
  ['azure:///subscriptions/1/resourceGroups/g/providers/x', 'azure'],
  ['digitalocean://123456', 'digitalocean'],
  ['equinixmetal://f00', 'equinixmetal'],
  ['gce://project/europe-west3-a/instance', 'gcp'],
  ['hcloud://42', 'hetzner'],
  ['hrobot://42', 'hetzner'],
  ['openstack:///f00', 'openstack'],
  ['vsphere://4217-beef', 'vsphere'],
  ['kind://docker/kind/kind-worker', undefined],
  ['awsome', undefined],
  ['', undefined],
])('providerID %s: %s', (providerID, id) => {
  expect(expectationOf(place(providerID, '')).cloud?.id).toBe(id);
});

test.each([
  ['Ubuntu 24.04.3 LTS', 'ubuntu'],
  ['Rocky Linux 9.4 (Blue Onyx)', 'rocky'],
  ['Red Hat Enterprise Linux 9.4 (Plow)', 'rhel'],
  ['Red Hat Enterprise Linux CoreOS 418.94.202410090804-0', 'rhel'],
  ['CentOS Stream 9', 'rhel'],
  ['CentOS Linux 7 (Core)', 'centos7'],
  ['AlmaLinux 9.4 (Seafoam Ocelot)', 'almalinux'],
  ['Fedora CoreOS 40.20240920.3.0', 'fedora'],
  ['Flatcar Container Linux by Kinvolk 3815.2.0 (Oklo)', 'flatcar'],
  ['Debian GNU/Linux 13 (trixie)', 'debian'],
  ['Amazon Linux 2023.6.20241010', 'amazonlinux'],
  ['SUSE Linux Enterprise Server 15 SP6', 'suse'],
  ['openSUSE Leap 15.6', 'suse'],
  ['Talos (v1.9.0)', 'talos'],
  ['Bottlerocket OS 1.26.1 (aws-k8s-1.31)', 'bottlerocket'],
  ['Windows Server 2022 Datacenter', 'windows'],
  ['Alpine Linux v3.20', undefined],
])('%s: %s', (osImage, id) => {
  expect(expectationOf(place('', osImage)).system?.id).toBe(id);
});

test('without a providerID the labels of a cloud tell', () => {
  expect(expectationOf(place('', '', { 'doks.digitalocean.com/node-id': '1' })).cloud?.id).toBe('digitalocean');
  expect(expectationOf(place('aws:///a/i-1', '', { 'cloud.google.com/gke-nodepool': 'p' })).cloud?.id).toBe('aws');
});

test.each([
  ['digitalocean://1', 'Rocky Linux 9.4', 'Late'],
  ['equinixmetal://1', 'Rocky Linux 9.4', 'Late'],
  ['equinixmetal://1', 'Flatcar Container Linux', 'Late'],
  ['digitalocean://1', 'Ubuntu 24.04', 'Works'],
  ['aws:///a/1', 'CentOS Linux 7 (Core)', 'Unreliable'],
  ['gce://p/z/i', 'Rocky Linux 9.4', undefined],
  ['', 'Rocky Linux 9.4', undefined],
  ['hcloud://1', 'Alpine Linux v3.20', undefined],
])('%s with %s: %s', (providerID, osImage, is) => {
  const { together } = expectationOf(place(providerID, osImage));
  expect(together?.is).toBe(is);
  if (together != null) expect(new URL(together.source).protocol).toBe('https:');
  if (is === 'Late' || is === 'Unreliable') expect(together?.says).toMatch(/\.$/u);
});

test('a name for people', () => {
  expect(expectationOf(place('digitalocean://1', 'Rocky Linux 9.4')).name).toBe('DigitalOcean + Rocky Linux');
  expect(expectationOf(place('', 'Rocky Linux 9.4')).name).toBe('Rocky Linux');
  expect(expectationOf(place('', '')).name).toBe('');
});

const command = (osImage: string): string | null => enableCommand(expectationOf(place('', osImage)).system, 'ens5');

test('the command of the system that configures the network', () => {
  expect(command('Rocky Linux 9.4')).toContain('device show ens5');
  expect(command('Ubuntu 24.04')).toContain('ethernets.ens5.dhcp6=true');
  expect(command('Flatcar Container Linux')).toBeNull();
  expect(command('Talos (v1.9.0)')).toBeNull();
  expect(enableCommand(null, 'ens5')).toBeNull();
});
