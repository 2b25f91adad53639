import { describe, expect, it } from 'vitest';
import { targetOf } from '../../src/terminal/links';

describe('a link of a program', () => {
  it('is shown as it is opened: hosts in ASCII, what reorders or hides text escaped', () => {
    expect(targetOf('https://p\u0430ypal.com/')).toEqual({ href: 'https://xn--pypal-4ve.com/', host: 'xn--pypal-4ve.com' });
    expect(targetOf('https://bank.example@evil.example/x')).toMatchObject({ host: 'evil.example' });
    expect(targetOf('https://a.example/\u202egnp.exe')?.href).toBe('https://a.example/%E2%80%AEgnp.exe');
    expect(targetOf('mailto:a@b.example')).toEqual({ href: 'mailto:a@b.example', host: '' });
  });

  it('leads nowhere where it is no address of the web or of mail', () => {
    for (const uri of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'vscode://x', 'x', '', `https://a.example/${'x'.repeat(2_048)}`]) {
      expect(targetOf(uri)).toBeUndefined();
    }
  });
});
