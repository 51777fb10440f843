import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Forbid a folder of src to import what is above it. */
function layer(folder, patterns, ignores = []) {
  return {
    files: [`src/${folder}/**/*.{ts,tsx}`],
    ignores,
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
}

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "public/", "src/core/generated/"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    files: ["**/*.{ts,tsx}"],
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json", "./tsconfig.sw.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "max-lines": ["error", 400],
    },
  },
  {
    files: ["src/**/*.tsx", "src/{app,views,ui}/**/*.ts"],
    plugins: { "react-hooks": reactHooks },
    rules: reactHooks.configs.recommended.rules,
  },
  {
    // Long components and hooks hide what they do: split them into named ones.
    files: ["src/{app,ui,views}/**/*.{ts,tsx}"],
    rules: { "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }] },
  },
  // Layers: core < i18n, format < ui < app < views. App.tsx is the root and imports them all.
  layer("core", ["react", "react-*", "**/i18n/**", "**/format/**", "**/ui/**", "**/app/**", "**/views/**"]),
  layer("format", ["react", "react-*", "**/ui/**", "**/app/**", "**/views/**"]),
  layer("ui", ["**/core/**", "**/app/**", "**/views/**"]),
  layer("app", ["**/views/**"], ["src/app/App.tsx"]),
  {
    files: ["**/*.{js,mjs}"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: "readonly", URL: "readonly", console: "readonly" } },
  },
);
