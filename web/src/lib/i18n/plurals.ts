// The plural forms of a language, by its own rules.

type Forms = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>;

export function plurals(locale: string): (n: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(locale);
  return (n, forms) => forms[rules.select(n)] ?? forms.other;
}
