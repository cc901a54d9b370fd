/* Terminals: what was written must leave first. */
#include "wrap.h"

#include <termios.h>

CT_WRAP_FD(CT_CAUSE_TTY, int, tcdrain, tcdrain, (int fd), fd)
CT_WRAP_FD(CT_CAUSE_TTY, int, tcsendbreak, tcdrain, (int fd, int duration), fd, duration)
CT_WRAP_FD(CT_CAUSE_TTY, int, tcsetattr, tcsetattr, (int fd, int when, const struct termios *t), fd, when, t)
