/** What names and passwords have to be. Pure; the Hub checks the same again. */

export const NAME_HINT = '1 to 32 of a–z, 0–9 and hyphen.';
const PASSWORD = { shortest: 8, longest: 128 } as const;

/** What is wrong with a user name, or an organisation's. */
export function nameProblem(name: string, what = 'The user name'): string | undefined {
  if (name === '') return `${what} is missing.`;
  if (name.length > 32) return `${what} is longer than 32 characters.`;
  if (/[^a-z0-9-]/.test(name)) return `${what} may have only a–z, 0–9 and hyphens.`;
  if (/^-|-$|--/.test(name)) return `${what} may not begin or end with a hyphen, or have two in a row.`;
  return undefined;
}

export function passwordProblem(password: string): string | undefined {
  const length = Array.from(password).length;
  if (length < PASSWORD.shortest) return `The password needs ${PASSWORD.shortest} characters; this one has ${length}.`;
  if (length > PASSWORD.longest) return `The password may have ${PASSWORD.longest} characters; this one has ${length}.`;
  return undefined;
}

/** Counts along while one is made. */
export function passwordHint(password: string): string {
  const length = Array.from(password).length;
  if (length === 0) return '8 to 128 characters. A few words that only you would put together are best.';
  if (length < PASSWORD.shortest) return `${PASSWORD.shortest - length} more to go.`;
  if (length > PASSWORD.longest) return `${length - PASSWORD.longest} too many.`;
  return 'Long enough.';
}

/** Good enough to catch a slip; whether it exists shows when the mail arrives. */
export function emailProblem(email: string): string | undefined {
  return /^[^\s@]+@[^\s@]+$/.test(email) && email.length <= 254 ? undefined : 'This does not look like an e-mail address.';
}

/** `ab cd-efgh` as `ABCD-EFGH`, and what is not there yet left out. */
export function deviceCode(text: string): string {
  const letters = text.toUpperCase().replace(/[^A-Z0-9]/g, '').slice(0, 8);
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}
