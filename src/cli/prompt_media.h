#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace tandem {

/// The user message of a prompt in which names of existing picture and clip files (by their ending)
/// stand for what is in them: bare, quoted, with spaces, escaped as a terminal does for a dropped
/// file, with ~ or as a file: URL. `images` and `videos` come before the text. Without any of them
/// the message is plain text. addresses: so do http and https addresses with such an ending.
Message UserMessage(std::string_view prompt, const std::vector<std::string>& images,
                    const std::vector<std::string>& videos, bool addresses = false);

/// Whether a name ends like a picture's or a clip's.
bool IsMediaName(std::string_view name);

/// The prompt cut at the names of files, in order; text without the white space beside them.
std::vector<ContentPart> CutAtFiles(std::string_view prompt, bool addresses = false);

}  // namespace tandem
