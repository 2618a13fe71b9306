// Libraries make style elements at run time, and not all of them know of the content security policy. What our own
// scripts make is given the nonce without which the browser refuses it; what is injected as markup is not.

/** Of this page's answer. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';

const create = document.createElement.bind(document);

document.createElement = ((name: string, options?: ElementCreationOptions): HTMLElement => {
  const element = create(name, options);
  if (element instanceof HTMLStyleElement) element.nonce = nonce;
  return element;
}) as typeof document.createElement;

const setAttribute = Element.prototype.setAttribute;

// A style attribute is refused, the same declarations through the object model are not.
Element.prototype.setAttribute = function (this: Element, name: string, value: string): void {
  if (name === 'style' && this instanceof HTMLElement) this.style.cssText = value;
  else setAttribute.call(this, name, value);
};
