#pragma once

#include <string>

#include "base/status.h"

namespace tandem {

/// Whether both addresses have the same scheme, host and port.
bool SameOrigin(const std::string& a, const std::string& b);

/// Whether a secret may be sent there: over https, or to this machine.
bool MaySendToken(const std::string& url);

/// The address that `location` (of a redirect) means, seen from `from`. Corrupt when it is none, is
/// not http or https, or goes from https to http.
Result<std::string> RedirectTarget(const std::string& from, const std::string& location);

/// The address without user, query and fragment, which may hold secrets: for messages.
std::string UrlForPeople(const std::string& url);

/// A path with everything but letters, digits, "/" and "-._~" percent-encoded.
std::string EncodePath(const std::string& text);

}  // namespace tandem
