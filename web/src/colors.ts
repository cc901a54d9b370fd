/* The colours of what threads do. After Okabe and Ito: told apart by colour-blind people, too (tests/run_serve.py
 * simulates them), and all are named in the legend. */
export const COLORS: Record<string, string> = {
  running: "#06a36b", ready: "#f0e442", contention: "#d55e00", io: "#0766b5", idle: "#d4d8dd", runtime: "#cc79a7", unexplained: "#625964",
};
