// Last words: the one error document of a run that dies.
#pragma once

#include <string_view>

namespace linsey::plugin {

/// From here on a panic, an uncaught exception or a fatal signal prints an
/// error document with code 100 to stdout and ends the process with status 1.
void prepare_last_words();

/// In which cniVersion that document is written.
void set_last_words_version(std::string_view version);

/// A document was printed; a later death stays silent.
void forget_last_words();

}  // namespace linsey::plugin
