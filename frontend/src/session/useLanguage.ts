import { useDirection } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { notifyError } from "@/components/notifyError";
import { directionOf, type Language, setLanguage } from "@/i18n";
import { type Session, sessionOptions } from "./session";

function useShow() {
  const { setDirection } = useDirection();
  return useCallback(
    async (language: Language) => {
      await setLanguage(language);
      setDirection(directionOf(language));
    },
    [setDirection],
  );
}

/** Changes the language of the page at once, and of the person's pages on every machine if somebody is signed in. */
export function useLanguage() {
  const queries = useQueryClient();
  const show = useShow();
  return useCallback(
    async (language: Language) => {
      await show(language);
      if (!queries.getQueryData<Session>(sessionOptions.queryKey)) return;
      try {
        const session = await bodyOf(client.POST("/v1/insula/session/profile", { body: { language } }));
        queries.setQueryData(sessionOptions.queryKey, session);
      } catch (error) {
        notifyError(toApiError(error));
      }
    },
    [queries, show],
  );
}

/** What the person has chosen on another machine holds here as well. */
export function useFollowLanguage(chosen: Session["language"]) {
  const { i18n } = useTranslation();
  const show = useShow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: followed when the session says so, not when the page changes
  useEffect(() => {
    if ((chosen === "en" || chosen === "ar") && chosen !== i18n.language) void show(chosen);
  }, [chosen]);
}
