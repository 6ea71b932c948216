import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { formatOf } from "@/lib/format";
import { remember } from "@/lib/storage";

export type Language = "en" | "ar";

/** Each in its own name, as people look for it. */
export const languages: Record<Language, string> = { en: "English", ar: "العربية" };

export const directionOf = (language: string) => (language === "ar" ? "rtl" : "ltr");

const load: Record<Language, () => Promise<{ default: Record<string, Record<string, unknown>> }>> = {
  en: () => import("./languages/en"),
  ar: () => import("./languages/ar"),
};

/** Loads the language that `first-paint.js` has chosen. Nothing is rendered before: no text appears twice. */
export async function startI18n() {
  const language: Language = document.documentElement.lang === "ar" ? "ar" : "en";
  const { default: texts } = await load[language]();
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: { [language]: texts },
    defaultNS: "common",
    interpolation: { escapeValue: false },
    returnNull: false,
    react: { useSuspense: false },
  });
  // `{{count, number}}` in the digits that all other figures have.
  i18next.services.formatter?.add("number", (value, language) =>
    formatOf(language ?? "en").number(Number(value)),
  );
}

export async function setLanguage(language: Language) {
  if (!i18next.hasResourceBundle(language, "common")) {
    const { default: texts } = await load[language]();
    for (const [namespace, bundle] of Object.entries(texts))
      i18next.addResourceBundle(language, namespace, bundle);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
  remember("insula.language", language);
}
