import { createFileRoute } from "@tanstack/react-router";

export const Route = createFileRoute("/_app/search-analytics")({ component: () => null });
