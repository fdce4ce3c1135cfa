/** What a path of an image holds: a copy of a file, or a symbolic link. */
export type ToolFile = { readonly file: string } | { readonly link: string };
export interface PacketFilter {
  /** To call on this machine and on nodes that see its file system. */
  readonly path: string;
  /** What an image needs to hold for it, by path in the image. */
  readonly files: Readonly<Record<string, ToolFile>>;
}
export interface SystemTools {
  readonly ip: string;
  readonly unshare: string;
  readonly nsenter: string;
  readonly mount: string;
  readonly losetup: string;
  readonly cp: string;
  readonly nft: PacketFilter;
  readonly iptables: PacketFilter;
  /** Where the system has them; nothing is downloaded for these. */
  readonly systemd: string | undefined;
  readonly dbusDaemon: string | undefined;
}
export declare function findDebianTools(options?: {
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
}): Promise<SystemTools>;
export declare function sharedLibraries(
  files: readonly string[],
  root?: string,
): Promise<readonly { readonly path: string; readonly file: string }[]>;
export declare function developmentFiles(
  packages: readonly string[],
  options?: { readonly env?: NodeJS.ProcessEnv; readonly log?: (line: string) => void },
): Promise<NodeJS.ProcessEnv>;
