#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chat/conversation.h"
#include "vision/encoder.h"

namespace tandem {

/// The pictures and clips of a conversation, in reading order. Parts of a message's content:
/// {"type": "image", "image": PATH}, {"type": "video", "video": PATH}, either with the key "path"
/// or "url" instead, and {"type": "image_url", "image_url": PATH or {"url": PATH}} (video_url
/// likewise). PATH is a file's name, a file: URL, a data: URL with base64, or an http or https URL.
/// The parts in `conversation` are brought to the first two forms, which templates know.
/// InvalidArgument with the message's index and what is wrong.
Result<std::vector<MediaSource>> TakeMedia(Conversation& conversation);

/// Brings the parts to the same forms without taking anything: places stay as they are written.
Status NameMedia(Conversation& conversation);

/// Whether a place is an http or https address.
bool IsWebAddress(std::string_view place);

/// The bytes of base64 text, white space ignored; nothing when it is none.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tandem
