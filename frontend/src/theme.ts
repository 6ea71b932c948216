import {
  type CSSVariablesResolver,
  createTheme,
  type MantineColorScheme,
  type MantineColorSchemeManager,
  type MantineColorsTuple,
} from "@mantine/core";
import { recall, remember } from "@/lib/storage";

const sea: MantineColorsTuple = [
  "#e9f6f6",
  "#cfe9ea",
  "#a3d5d6",
  "#72bec1",
  "#4aa8ad",
  "#2f979d",
  "#1f8289",
  "#146c73",
  "#0f575d",
  "#0a4347",
];

// A little cooler than Mantine's own greys, and dark surfaces that differ by lightness alone.
const dark: MantineColorsTuple = [
  "#d7dbde",
  "#b9bfc4",
  "#9aa2a8",
  "#6c757c",
  "#444c53",
  "#343b41",
  "#262c31",
  "#1b2024",
  "#14181b",
  "#0f1214",
];

// The platform's own face by name first: what `system-ui` stands for on a bare Linux is not made for figures.
const system =
  '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", "Noto Sans Arabic", "Geeza Pro", sans-serif';

/** The heads of dialogs are no heads of the page, which `header` would make them. */
const head = { header: { role: "presentation" } };

export const theme = createTheme({
  colors: { sea, dark },
  primaryColor: "sea",
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: "md",
  fontFamily: system,
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  headings: {
    fontFamily: system,
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "1.375rem", lineHeight: "1.3" },
      h2: { fontSize: "1.0625rem", lineHeight: "1.4" },
      h3: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  cursorType: "pointer",
  focusRing: "auto",
  components: {
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    NumberInput: { defaultProps: { size: "sm" } },
    Select: { defaultProps: { size: "sm", allowDeselect: false } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 200, multiline: true, maw: 320 } },
    Modal: {
      defaultProps: {
        attributes: head,
        centered: true,
        overlayProps: { backgroundOpacity: 0.4 },
        transitionProps: { duration: 120 },
      },
    },
    Drawer: {
      styles: { title: { fontWeight: 600, fontSize: "1rem" } },
      defaultProps: { attributes: head, position: "right", transitionProps: { duration: 160 } },
    },
    // The first item has the focus, as menus have it; what Mantine puts before it is no child that a menu may have.
    Menu: {
      defaultProps: { shadow: "md", transitionProps: { duration: 80 }, withInitialFocusPlaceholder: false },
    },
  },
});

/** Mantine's dimmed and placeholder greys are too faint to be read by everybody: these have 4.5 : 1. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5a646b",
    "--mantine-color-placeholder": "#6b757c",
    "--mantine-color-error": "#c92a2a",
    "--insula-canvas": "#f7f9f9",
    "--insula-surface": "#ffffff",
    "--insula-line": "#e3e8ea",
    "--insula-hover": "#f1f4f5",
    "--insula-mark": "#fff0b3",
    "--insula-warning": "#fff4e0",
    "--insula-warning-line": "#f2c98a",
    "--insula-warning-text": "#5f3b00",
  },
  dark: {
    "--mantine-color-dimmed": "#9aa2a8",
    "--mantine-color-placeholder": "#8b949a",
    "--mantine-color-error": "#ff8787",
    "--mantine-color-body": "#14181b",
    "--insula-canvas": "#0f1214",
    "--insula-surface": "#14181b",
    "--insula-line": "#262c31",
    "--insula-hover": "#1b2024",
    "--insula-mark": "#5c4a00",
    "--insula-warning": "#33260d",
    "--insula-warning-line": "#6b4a12",
    "--insula-warning-text": "#ffdca3",
  },
});

/** Colours of series, in order; told apart also by those who do not see red or green. */
export const seriesColors = [
  "sea.6",
  "orange.5",
  "indigo.5",
  "pink.5",
  "lime.6",
  "cyan.4",
  "grape.5",
  "yellow.6",
];

/** The key that `first-paint.js` reads. */
const key = "insula.scheme";

export const schemeManager: MantineColorSchemeManager = {
  get: (fallback) => (recall(key) as MantineColorScheme | null) ?? fallback,
  set: (value) => remember(key, value),
  subscribe: () => {},
  unsubscribe: () => {},
  clear: () => remember(key, null),
};
