// Something that is made at the first need and kept.

/** Made again at the next need if making it failed, or after `forget`. */
export function once<T>(make: (forget: () => void) => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  const forget = () => { made = undefined; };
  return () => made ??= make(forget).catch((error: unknown) => {
    forget();
    throw error;
  });
}
