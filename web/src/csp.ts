/**
 * What the page needs to live under its own Content-Security-Policy: a style shim for xterm.js
 * and the one Trusted Types policy. Nothing else in the page may create a policy.
 *
 * xterm.js writes its theme into `<style>` elements and true colours into `style` attributes;
 * `style-src 'self'` blocks both, while constructable sheets and the CSSOM are allowed.
 */

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): {
    createScriptURL(url: string): TrustedScriptURL;
  };
}

/** Sends script-made styles through the CSSOM. Call once, before anything renders. */
export function installStyleShim(document: Document): void {
  const createElement = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = createElement(name, options);
    if (element instanceof HTMLStyleElement) backBySheet(document, element);
    return element;
  }) as typeof document.createElement;

  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (this: Element, name: string, value: string): void {
    if (name === 'style' && this instanceof HTMLElement) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}

/** Gives a `<style>` element a constructable sheet that follows its text and its removal. */
function backBySheet(document: Document, element: HTMLStyleElement): void {
  const sheet = new CSSStyleSheet();
  let text = '';
  Object.defineProperty(element, 'textContent', {
    get: () => text,
    set: (value: string) => {
      text = value;
      sheet.replaceSync(value);
    },
  });
  const remove = element.remove.bind(element);
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    remove();
  };
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

/** Blesses exactly one script URL, that of the built channel thread, and refuses all others. */
export function trustWorkerUrl(expected: string): TrustedScriptURL | string {
  const trustedTypes = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (!trustedTypes) return expected;
  const policy = trustedTypes.createPolicy('channel-worker', {
    createScriptURL: (url) => {
      if (url !== expected) throw new TypeError('not the channel thread');
      return url;
    },
  });
  return policy.createScriptURL(expected);
}
