#pragma once

#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "store/http.h"

namespace tandem {

/// Owners of libcurl's objects.
using CurlEasy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using CurlList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

/// A handle for one request, with everything that all requests share: only http and https, no
/// redirects followed by the library, bytes as they are, no signals.
CurlEasy NewCurlHandle(const HttpSettings& settings);

/// The header lines of a request, with the token when it may go to `url`.
CurlList RequestHeaders(const std::vector<std::string>& lines, const std::string& token,
                        const std::string& url);

}  // namespace tandem
