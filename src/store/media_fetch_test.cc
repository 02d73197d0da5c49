#include "store/media_fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "base/format.h"
#include "io/descriptor.h"

namespace tandem {
namespace {

using std::chrono::milliseconds;

bool IsPublic(const char* text) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &v6->sin6_addr), 1) << text;
    v6->sin6_family = AF_INET6;
  }
  return IsPublicAddress(*reinterpret_cast<const sockaddr*>(&storage));
}

TEST(MediaFetch, KnowsWhichAddressesArePublic) {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1",
                           "172.32.0.1", "192.169.0.1", "223.255.255.255", "2606:4700::1111",
                           "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"}) {
    EXPECT_TRUE(IsPublic(text)) << text;
  }
  for (const char* text :
       {"0.0.0.0",     "10.1.2.3",         "100.64.0.1",      "127.0.0.1",
        "127.9.9.9",   "169.254.169.254",  "172.16.0.1",      "172.31.255.255",
        "192.0.0.8",   "192.0.2.1",        "192.88.99.1",     "192.168.1.1",
        "198.18.0.1",  "198.19.255.255",   "198.51.100.7",    "203.0.113.9",
        "224.0.0.1",   "240.0.0.1",        "255.255.255.255", "::",
        "::1",         "fe80::1",          "fc00::1",         "fd12::1",
        "ff02::1",     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
        "::127.0.0.1", "2001::1",          "2001:db8::1",     "2002:7f00:1::",
        "3fff::1"}) {
    EXPECT_FALSE(IsPublic(text)) << text;
  }
  sockaddr_storage other{};
  other.ss_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(*reinterpret_cast<const sockaddr*>(&other)));
}

/// Answers each connection to this machine with what `answer` says to the request's first line; an
/// empty answer keeps the connection open until the end.
class Server {
 public:
  using Handler = std::function<std::string(const std::string& request)>;

  explicit Server(Handler answer) : answer_(std::move(answer)) {
    listener_ = Descriptor(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string Url(const std::string& path) const {
    return Format("http://127.0.0.1:{}{}", port_, path);
  }
  int connections() const { return connections_; }

 private:
  void Serve() {
    std::vector<Descriptor> open;
    while (true) {
      Descriptor client(accept(listener_.get(), nullptr, nullptr));
      if (!client.open()) {
        return;
      }
      ++connections_;
      std::string request;
      char buffer[2048];
      ssize_t n = 0;
      while (request.find("\r\n\r\n") == std::string::npos &&
             (n = read(client.get(), buffer, sizeof(buffer))) > 0) {
        request.append(buffer, static_cast<std::size_t>(n));
      }
      const std::string reply = answer_(request.substr(0, request.find("\r\n")));
      if (reply.empty()) {
        open.push_back(std::move(client));
      } else {
        EXPECT_GT(send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL), 0);
      }
    }
  }

  Handler answer_;
  Descriptor listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

std::string Reply(const std::string& body) {
  return Format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

const FetchLimits kAllowed = {.bytes = 100, .time = milliseconds(20'000), .allow_private = true};

TEST(MediaFetch, GetsWhatIsThere) {
  const Server server([](const std::string& request) {
    return request == "GET /a.png HTTP/1.1" ? Reply("picture")
                                            : "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  });
  EXPECT_EQ(FetchMedia(server.Url("/a.png"), kAllowed, nullptr).value(), "picture");
  const Status missing = FetchMedia(server.Url("/b.png?key=secret"), kAllowed, nullptr).status();
  EXPECT_EQ(missing.message(), server.Url("/b.png") + " answers with status 404");
}

TEST(MediaFetch, NeverConnectsToThisMachineUnlessAllowed) {
  const Server server([](const std::string&) { return Reply("secret"); });
  const FetchLimits strict = {.bytes = 100, .time = milliseconds(20'000)};
  const std::string port = server.Url("").substr(std::strlen("http://127.0.0.1:"));
  for (const std::string host : {"127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1",
                                 "[::1]", "[::ffff:127.0.0.1]"}) {
    const Status status =
        FetchMedia(Format("http://{}:{}/x", host, port), strict, nullptr).status();
    EXPECT_FALSE(status.ok()) << host;
    // A machine without IPv6 has nothing to refuse.
    if (host[0] != '[') {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << host << ": " << status.message();
      EXPECT_NE(status.message().find("--allow-private-url"), std::string::npos);
    }
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(MediaFetch, FollowsRedirectsButOnlySoFar) {
  const Server server([](const std::string& request) {
    const auto to = [](const std::string& place) {
      return Format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", place);
    };
    if (request == "GET /first HTTP/1.1") {
      return to("/second");
    }
    if (request == "GET /second HTTP/1.1") {
      return Reply("end");
    }
    return to(request == "GET /file HTTP/1.1" ? "file:///etc/passwd" : "/round");
  });
  EXPECT_EQ(FetchMedia(server.Url("/first"), kAllowed, nullptr).value(), "end");
  EXPECT_EQ(FetchMedia(server.Url("/round"), kAllowed, nullptr).status().code(),
            StatusCode::kCorrupt);
  EXPECT_EQ(FetchMedia(server.Url("/file"), kAllowed, nullptr).status().code(),
            StatusCode::kCorrupt);
  EXPECT_FALSE(FetchMedia("file:///etc/passwd", kAllowed, nullptr).ok());
}

TEST(MediaFetch, BoundsSizeAndTime) {
  const Server server([](const std::string& request) -> std::string {
    if (request == "GET /said HTTP/1.1") {
      return "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    }
    if (request == "GET /unsaid HTTP/1.1") {
      return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(101, 'x');
    }
    return "";
  });
  for (const char* path : {"/said", "/unsaid"}) {
    const Status status = FetchMedia(server.Url(path), kAllowed, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(status.message(), server.Url(path) + ": at most 100 B are fetched");
  }
  FetchLimits hasty = kAllowed;
  hasty.time = milliseconds(50);
  EXPECT_EQ(FetchMedia(server.Url("/silent"), hasty, nullptr).status().message(),
            server.Url("/silent") + ": not there within 0.05 seconds");
}

TEST(MediaFetch, StopsWhenCancelled) {
  const Server server([](const std::string&) { return std::string(); });
  const std::atomic<bool> cancel{true};
  EXPECT_EQ(FetchMedia(server.Url("/"), kAllowed, &cancel).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace tandem
