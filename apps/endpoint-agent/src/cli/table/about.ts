/** Commands about this command. */
import type { Command } from './command.ts';

export const ABOUT: readonly Command[] = [
  {
    name: 'completion',
    words: 'SHELL',
    completes: ['bash', 'zsh', 'fish'],
    summary: 'completion for your shell',
    about: [
      'Prints a script for bash, zsh or fish. For bash, in ~/.bashrc: source <(cordon completion bash). For zsh, in ~/.zshrc, after compinit: source <(cordon completion zsh). For fish, in its config.fish: cordon completion fish | source.',
    ],
    options: [],
    load: async () => (await import('../completion.ts')).completionCommand,
  },
  {
    name: 'man',
    summary: 'the manual page',
    about: ['Prints it as roff: cordon man | man -l -'],
    options: [],
    load: async () => (await import('../man.ts')).manCommand,
  },
];
