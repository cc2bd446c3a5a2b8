// Viewer request, CloudFront Functions runtime 2.0. A page of the studio is a route that its script knows and the bucket
// does not: whoever opens or reloads one gets index.html. What names a file is left alone, so that a missing one is
// an error and not a page.
function handler(event) {
    var request = event.request;
    var last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
    if (last.indexOf('.') === -1) {
        request.uri = '/index.html';
    }
    return request;
}
