export declare function cacheFolder(env?: NodeJS.ProcessEnv): string;
