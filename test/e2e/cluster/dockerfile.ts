import type { ContainerConfig } from './oci.ts';

/**
 * How containers of a Dockerfile's last stage start. Instructions that put files into the image are passed over; one that
 * is not known here is an error, since the image made without it would be another.
 */
export function imageConfig(dockerfile: string): ContainerConfig {
  const instructions = dockerfile
    .split('\n')
    .map((line) => /^(\w+)\s+(.*)$/.exec(line.trim()))
    .flatMap((match) => (match ? [{ name: match[1] ?? '', value: match[2] ?? '' }] : []));
  const lastStage = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM') + 1);
  return lastStage.reduce<ContainerConfig>((config, { name, value }) => {
    switch (name) {
      case 'COPY':
        return config;
      case 'WORKDIR':
        return { ...config, WorkingDir: value };
      case 'USER':
        return { ...config, User: value };
      case 'ENV':
        return { ...config, Env: [...(config.Env ?? []), value] };
      case 'ENTRYPOINT':
        return { ...config, Entrypoint: words(value) };
      case 'CMD':
        return { ...config, Cmd: words(value) };
      default:
        throw new Error(`Dockerfile: ${name} is not known to imageConfig; add it there`);
    }
  }, {});
}

function words(value: string): readonly string[] {
  const parsed: unknown = JSON.parse(value);
  if (!Array.isArray(parsed)) throw new Error(`Dockerfile: ${value} is not a list of words`);
  return parsed.map(String);
}
