/** Put in by the bundler from package.json; absent when the sources run as they are. */
declare const DUALSTACK_VERSION: string | undefined;

export const VERSION: string = typeof DUALSTACK_VERSION === 'string' ? DUALSTACK_VERSION : '0.0.0-dev';
