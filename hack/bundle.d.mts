/** Bundles in parts what a program imports when it comes to it: `main.js` in that folder, and beside it what that loads. */
export declare function bundleParts(entry: string, folder: string): Promise<void>;
