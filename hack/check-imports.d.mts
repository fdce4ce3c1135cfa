export function checkSource(path: string, text: string): { readonly line: number; readonly message: string }[];
export function checkLength(text: string): { readonly warning: boolean; readonly message: string } | null;
