/** An address as the host of a URL: one of IPv6 stands in brackets. */
export const urlHost = (address: string): string => (address.includes(':') ? `[${address}]` : address);
